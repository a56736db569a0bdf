"""Intervals, comparisons, claims and plans. Pure functions: no disk, no network. See docs/statistics.md.

Core: `spread` (variance over clusters and seeds), `limits` (interval ends), `effect` (one number). On it: `intervals`
and `compare` (one arm, two arms), `families` (many comparisons), `pooling` (seed variance of all arms), `missing`
(bounds), `equivalence`, `saturation`, `components` (where spread comes from), `power` (what can be seen), `efficiency`
(x times less data). From rows: `answers` and `claims`.
"""
