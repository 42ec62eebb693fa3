"""How large inputs may be, and how far apart: limits that runs and scripts share.

They stand by themselves because a watched script pays for every module that is loaded to judge it.
"""

LARGEST_STD = 30.0
STD_RATIO = 1000.0
LARGEST_INPUT = 100.0
