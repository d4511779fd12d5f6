"""packaging 21.3: PEP 440, and legacy versions below it."""
import sys
from packaging.version import parse

for line in sys.stdin.read().split("\n")[:-1]:
    a, b = map(parse, line.split("\t"))
    print("<" if a < b else ">" if a > b else "=")
