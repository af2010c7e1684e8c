"""The look of the summary page, on screen (light and dark) and on paper; no font or image from elsewhere."""

from typing import Final

SHEET: Final = """
:root { color-scheme: light dark; --page: #f5f7f9; --card: #ffffff; --ink: #17202a; --quiet: #5b6874; --rule: #dde3e9;
  --line: #1f6fb2; --good: #1c7c43; --bad: #b3261e; --warn: #8a5a00; --paper: #0f766e; --live: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #10151c; --card: #171e27; --ink: #dbe3eb; --quiet: #8b98a5;
  --rule: #2a3541; --line: #6db0ee; --good: #7ccf94; --bad: #ff8a80; --warn: #e8b64c; --paper: #2f9e8f;
  --live: #d9453b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 48px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 6px 14px; }
h1 { font-size: 24px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 13px; margin: 0 0 10px; color: var(--quiet); font-weight: 600; text-transform: uppercase;
  letter-spacing: .06em; }
.badge { padding: 2px 10px; border-radius: 5px; color: #fff; font-weight: 700; letter-spacing: .06em; font-size: 13px;
  position: relative; top: -3px; }
.badge.paper { background: var(--paper); } .badge.live { background: var(--live); }
.lead { margin: 8px 0 2px; font-size: 17px; }
.quiet { color: var(--quiet); } .small { font-size: 13px; }
p { margin: 4px 0; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 18px;
  margin-top: 16px; overflow-x: auto; break-inside: avoid; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 18px; }
.cards > div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 14px; }
.cards b { display: block; font-size: 22px; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.cards span { display: block; color: var(--quiet); font-size: 13px; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 0 16px; align-items: stretch; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child > * { border-bottom: 0; }
th { font-weight: 500; color: var(--quiet); font-size: 13px; }
td.n, th.n { text-align: right; padding-right: 0; padding-left: 14px; white-space: nowrap; }
tbody th { font-size: 15px; color: var(--ink); font-weight: 400; }
tr.sum > * { font-weight: 650; border-top: 2px solid var(--rule); }
.bar { width: 45%; } .bar i { display: block; height: 10px; margin-top: 7px; border-radius: 3px;
  background: var(--line); min-width: 2px; } .bar i.none { background: var(--rule); }
td.at { white-space: nowrap; }
code { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 20px; }
.chart { display: block; width: 100%; height: auto; min-width: 620px; }
.chart text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--rule); fill: none; } .chart .start { stroke: var(--quiet); stroke-dasharray: 4 4; }
.chart .line { stroke: var(--line); stroke-width: 2; fill: none; stroke-linejoin: round; }
.chart .area { fill: var(--line); opacity: .10; } .chart .dot { fill: var(--line); }
.chart .fall { fill: var(--bad); opacity: .45; }
.chart .gain, .bars .gain { fill: var(--good); } .chart .loss, .bars .loss { fill: var(--bad); }
.bars { display: block; width: 100%; min-width: 90px; height: 14px; margin-top: 4px; }
.bars .start { stroke: var(--rule); fill: none; }
footer { margin-top: 18px; }
@page { margin: 12mm; }
@media print { :root { --page: #fff; --card: #fff; --ink: #000; --quiet: #444; --rule: #ccc; --line: #1f6fb2;
  --good: #1c7c43; --bad: #b3261e; --warn: #8a5a00; }
  main { max-width: none; padding: 0; } section { padding: 8px 10px; margin-top: 10px; overflow: visible; }
  body, tbody th { font-size: 9pt; } .small, th, .cards span { font-size: 8pt; } .cards b { font-size: 13pt; }
  th, td { padding: 2px 6px 2px 0; } td.n, th.n { padding-left: 6px; } tr { break-inside: avoid; }
  .bars { min-width: 40px; } .two { grid-template-columns: 1fr 1fr; } .cards { grid-template-columns: repeat(6, 1fr); }
  .badge, .bar i, .chart *, .bars * { print-color-adjust: exact;
  -webkit-print-color-adjust: exact; } }
"""
