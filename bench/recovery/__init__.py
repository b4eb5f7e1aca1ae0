"""The benches of recovery: what checkpoints and the journal cost, and how soon a job goes on after a failure.

One module a bench. `job(request)` runs in a process of its own with an engine's Python; `measure(setting)` starts such
processes, kills them where the bench says so, checks what they wrote, and returns figures.
"""

NAMES = ("throughput", "duration", "worker", "restart", "region", "resume")
