"""Targets: where a handoff's task goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """A workflow (``WW…``; empty: the workspace's only one) and a task channel's unique name."""

    workflow: str
    task_channel: str

    def routing(self) -> dict[str, Any]:
        """The routing properties of an interaction, but for the workspace and the attributes."""
        # https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions#routing
        routing = {"workflow_sid": self.workflow, "task_channel_unique_name": self.task_channel}
        return {name: value for name, value in routing.items() if value}
