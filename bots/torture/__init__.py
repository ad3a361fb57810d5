"""The proof of the promise: real gateway processes under load and kills, and a checker that decides.

`trial` runs a `plan`: a `crowd` speaks through the simulated `platforms`, `instances` are killed and started
again, `recovery` times how soon their conversations move on. What is left behind is gathered as `evidence`,
the `checker` judges it, and the `report` tells. Nothing here trusts the gateway's own word where a
simulator has seen it too.
"""
