"""The page in a real browser. It needs Chromium, as .ci/run installs it."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest

from goodfit.report.html import render

WIDTHS = (360, 1280)
WRAPPER = """<!DOCTYPE html><body>
<script>
addEventListener("load", () => {
  const root = (frame) => frame.contentDocument.documentElement;
  document.title = JSON.stringify([...document.querySelectorAll("iframe")].map((frame) => ({
    width: frame.width,
    overflow: root(frame).scrollWidth - root(frame).clientWidth,
    fetched: frame.contentWindow.performance.getEntriesByType("resource").map((entry) => entry.name),
    height: root(frame).scrollHeight,
    pictures: [...frame.contentDocument.querySelectorAll("figure svg")].every((svg) => svg.clientHeight > 50),
  })));
});
</script>
%s</body>"""


@pytest.fixture
def seen_by_browser(tmp_path):
    """Serve a page, open it at both widths, and return what the browser says and what it asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *message):
            asked.append(self.path)

    serve = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda page: (_open(page, tmp_path, server.server_port), asked)
        server.shutdown()


def _open(page, folder, port):
    frames = "".join(f'<iframe src="report.html" width="{width}" height="800"></iframe>' for width in WIDTHS)
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "wrapper.html").write_text(WRAPPER % frames, encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "install chromium (apt-get install chromium): the report must be seen in a real browser"
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
    ]
    command += ["--dump-dom", f"http://127.0.0.1:{port}/wrapper.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(re.search(r"<title>(.*?)</title>", done.stdout)[1].replace("&amp;", "&"))


@pytest.mark.parametrize("name", ["patient", "endless", "hostile"])
def test_a_page_fits_its_width_and_asks_for_nothing(report, seen_by_browser, name):
    frames, asked = seen_by_browser(render(report.RUNS[name]()))
    assert [frame["overflow"] for frame in frames] == [0, 0]
    assert [frame["fetched"] for frame in frames] == [[], []]
    assert set(asked) <= {"/wrapper.html", "/report.html", "/favicon.ico"}
    assert all(frame["pictures"] for frame in frames)
    assert all(frame["height"] > 2000 for frame in frames)
