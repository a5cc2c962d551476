"""The report's style: light and dark, wide and narrow."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1f23; --faint: #5c6470; --line: #d5d9df; --panel: #f5f6f8;
  --good: #17723b; --bad: #b3261e; --open: #8a5a00; --accent: #1f5fae; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --ink: #e6e8eb; --faint: #9aa3ae; --line: #363c45;
  --panel: #1e2228; --good: #5bc98a; --bad: #ff8a80; --open: #e5b657; --accent: #7db3f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.25rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.faint, figcaption { color: var(--faint); font-size: .9rem; }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
  overflow-wrap: anywhere; }
.card strong { display: block; }
.pass { color: var(--good); } .fail { color: var(--bad); } .insufficient_evidence { color: var(--open); }
.warning { border-left: .25rem solid var(--open); padding-left: .75rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .65rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; } td.number, th.number { text-align: right; }
figure { margin: 1rem 0; }
.frontier { width: 100%; max-width: 36rem; height: auto; }
svg text { fill: var(--ink); font: 11px system-ui, sans-serif; } svg .dim { fill: var(--faint); }
svg .axis { stroke: var(--line); } svg .zero { stroke: var(--faint); }
svg .margin { stroke: var(--bad); stroke-dasharray: 4 3; } svg .step { stroke: var(--accent); fill: none; }
svg .mark { stroke: currentColor; stroke-width: 2; } svg .point { fill: currentColor; }
.whiskers { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: .2rem 1rem; align-items: center; }
.whiskers .name { overflow-wrap: anywhere; font-size: .9rem; }
.whiskers svg { width: 100%; height: 1.6rem; display: block; background: var(--panel); }
.scale { position: relative; height: 1.3rem; font-size: .8rem; color: var(--faint); }
.scale span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.scale .before { transform: translateX(-100%); }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: .4rem .75rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); padding: .5rem; margin: .2rem 0 .6rem;
  font-size: .85rem; max-height: 22rem; overflow-y: auto; }
.sides { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
@media (max-width: 40rem) { .whiskers { grid-template-columns: 1fr; } .whiskers .name { margin-top: .4rem; } }
@media print { details { break-inside: avoid; } }
"""
