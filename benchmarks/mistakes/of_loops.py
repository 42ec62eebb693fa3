"""The loop: gradients, modes, parameters, schedules, rows and workers."""

from __future__ import annotations

from mistakes.pieces import (
    ADAM,
    APART,
    BROKEN,
    CONV,
    DECAY,
    DROPOUT,
    EVALUATION,
    LIST,
    NUMBERS,
    OWN,
    SCALED,
    SCHEDULE,
    SGD,
    SORTED,
    SPARE,
    ill,
)

GATHERED = "losses.append(loss{})"
ONE_LAYER = "torch.optim.Adam(model[0].parameters(), lr=0.01)"
GROUPS = (
    "torch.optim.SGD([{{'params': model[0].parameters(), 'lr': {} }}, "
    "{{'params': model[2].parameters()}}], lr=0.1)"
)
PART = "self.part = type('Part', (), {})(); self.part.rng = np.random.RandomState(0)"

OF_LOOPS = (
    ill(
        "GF009",
        "a layer never called",
        {"data": SPARE.format(""), "model": "Net()"},
        "every layer called",
        {"data": SPARE.format(" + self.spare(torch.relu(self.one(x)))"), "model": "Net()"},
    ),
    ill(
        "GF009",
        "a loss detached",
        {"backward": "loss.detach().requires_grad_().backward()"},
        "a detached copy, printed",
        {"backward": "loss.backward(); str(loss.detach())"},
    ),
    ill(
        "GF015",
        "gradients never cleared",
        {"clear": "pass"},
        "gradients cleared by hand",
        {"clear": "for parameter in model.parameters():\n    parameter.grad = None"},
    ),
    ill(
        "GF015",
        "gradients cleared on another network",
        {"clear": "nn.Linear(8, 2).zero_grad()"},
        "gradients gathered over two passes on purpose",
        {"backward": "loss.backward(); criterion(model(x[rows]), target[rows]).backward()"},
    ),
    ill(
        "GF016",
        "evaluation mode in training",
        {**DROPOUT, "mode": "model.eval()"},
        "training mode in training",
        {**DROPOUT, "after": "model.eval()\nwith torch.no_grad(): criterion(model(x), target)"},
    ),
    ill(
        "GF017",
        "training mode in evaluation",
        {**DROPOUT, "after": EVALUATION},
        "no modes to tell apart",
        {"after": EVALUATION},
    ),
    ill(
        "GF018",
        "only the first layer in the optimizer",
        {"optimizer": ONE_LAYER},
        "only the last layer in the optimizer",
        {
            "model": "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))",
            "optimizer": "torch.optim.Adam(model[2].parameters(), lr=0.02)",
        },
    ),
    ill(
        "GF018",
        "layers in a plain list",
        {"data": LIST.format(""), "model": "Net()"},
        "layers in a module list",
        {"data": LIST.format("nn.ModuleList"), "model": "Net()"},
    ),
    ill(
        "GF019",
        "a group with rate zero",
        {"optimizer": GROUPS.format("0.0")},
        "two groups with rates",
        {"optimizer": GROUPS.format("0.2")},
    ),
    ill(
        "GF023",
        "a scheduler before the optimizer",
        {"setup": SCHEDULE.format("StepLR(optimizer, step_size=5)"), "mode": "scheduler.step()"},
        "a scheduler after the optimizer",
        {"setup": SCHEDULE.format("StepLR(optimizer, step_size=5)"), "after": "scheduler.step()"},
    ),
    ill(
        "GF024",
        "batch-norm on single rows",
        {"data": CONV, "model": "Net()", "batch": "1", "epochs": "1"},
        "batch-norm on many rows",
        {"data": CONV, "model": "Net()"},
    ),
    ill(
        "GF031",
        "losses gathered with their graphs",
        {"setup": "losses = []", "backward": f"loss.backward(); {GATHERED.format('')}"},
        "losses gathered as numbers",
        {"setup": "losses = []", "backward": f"loss.backward(); {GATHERED.format('.item()')}"},
    ),
    ill(
        "GF032",
        "a weight listed twice",
        {"optimizer": "torch.optim.SGD([*model.parameters(), model[0].weight], lr=0.05)"},
        "two groups",
        {"optimizer": GROUPS.format("0.1")},
    ),
    ill(
        "GF033",
        "a schedule over a fifth of the steps",
        {
            "setup": SCHEDULE.format("LinearLR(optimizer, 1.0, 0.0, total_iters=60)"),
            "backward": "loss.backward(); scheduler.step()",
            "epochs": "40",
        },
        "a schedule over all of them",
        {
            "setup": SCHEDULE.format("LinearLR(optimizer, 1.0, 0.0, total_iters=320)"),
            "step": "optimizer.step(); scheduler.step()",
            "epochs": "40",
        },
    ),
    ill(
        "GF034",
        "weight decay on everything",
        {"optimizer": DECAY.format("AdamW")},
        "weight decay on matrices",
        {"optimizer": APART},
        is_noted=True,
    ),
    ill(
        "GF035",
        "weight decay in Adam",
        {"optimizer": DECAY.format("Adam")},
        "weight decay in AdamW",
        {"optimizer": DECAY.format("AdamW")},
        is_noted=True,
    ),
    ill(
        "GF036",
        "rows sorted by their targets",
        SORTED,
        "rows in any order",
        {},
    ),
    ill(
        "GF037",
        "a generator that workers copy",
        OWN,
        "the global one, which workers get seeded",
        {**OWN, "own": "pass", "drawn": "np.random.normal()"},
    ),
    ill(
        "GF037",
        "a generator of a transform",
        {**OWN, "own": PART, "drawn": "self.part.rng.normal()"},
        "a function that prepares each worker",
        {
            **OWN,
            "own": PART,
            "drawn": "self.part.rng.normal()",
            "more": ", worker_init_fn=lambda number: None",
        },
    ),
    ill(
        "GF021",
        "a rate beyond all numbers",
        {**NUMBERS, "optimizer": SGD.format("1e9")},
        "a large rate that learns",
        {**NUMBERS, "optimizer": ADAM.format("0.05"), "epochs": "40"},
    ),
    ill(
        "GF021",
        "a layer that breaks, under a scaler",
        {
            **SCALED,
            "data": BROKEN,
            "model": "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), Breaking(), nn.Linear(16, 2))",
        },
        "low precision that holds",
        SCALED,
    ),
)
