"""A stand-in for an OpenAI-compatible model API; `simulator` is the door, the other files are its parts."""

from bots.simulators.model.simulator import ModelSimulator

__all__ = ["ModelSimulator"]
