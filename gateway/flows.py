"""The flows that this gateway runs: the current version of each, and older ones on which dialogues are pinned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bots.check import check_flow
from bots.conversation import Conversation
from bots.loader import load_folder
from bots.problems import Problem, has_errors
from bots.version import Version, restore
from gateway.store import Store
from gateway.targets import Target, Targets, read_targets


class UnknownVersion(Exception):
    """A dialogue is pinned to a version that is not in memory; *version* is its hash."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


class NoFlows(Exception):
    """There is no folder of flows. The text is for the operator, about USHER_FLOWS."""


class BrokenFlows(Exception):
    """The folder of flows cannot be used as it is; *problems* in its *files* flow files tell why."""

    def __init__(self, problems: tuple[Problem, ...], *, files: int) -> None:
        super().__init__(f"{len(problems)} problems in the flows")
        self.problems = problems
        self.files = files


class Flows:
    """The versions in use. *default* names the flow for webhooks that name none."""

    def __init__(self, versions: Iterable[Version], default: str) -> None:
        self._current = {version.flow.name: version for version in versions}
        self._pinned = {version.hash: version for version in self._current.values()}
        if default not in self._current:
            raise ValueError(f'there is no flow "{default}"; flows here: {", ".join(sorted(self._current)) or "none"}')
        self.default = default

    def __contains__(self, name: str) -> bool:
        return name in self._current

    @property
    def names(self) -> list[str]:
        """The flows' names, sorted."""
        return sorted(self._current)

    def version_for(self, conversation: Conversation) -> Version:
        """The version on which *conversation*'s dialogue began, or a new one would. Raises `UnknownVersion`."""
        if conversation.dialogue is None:
            # A flow may be gone since the conversation was first told of.
            return self._current.get(conversation.flow) or self._current[self.default]
        try:
            return self._pinned[conversation.dialogue.version]
        except KeyError:
            raise UnknownVersion(conversation.dialogue.version) from None

    async def keep(self, store: Store) -> None:
        """Save the current versions, so that dialogues that begin on them can finish on them."""
        for version in self._current.values():
            await store.save_version(version.hash, version.source)

    async def restore(self, version: str, store: Store) -> None:
        """Bring a pinned version back from *store*. Raises `LookupError` where it was never kept."""
        source = await store.load_version(version)
        if source is None:
            raise LookupError(f"version {version} of a flow is not in the database")
        self._pinned[version] = restore(source)


def load_flows(folder: Path, default: str) -> Flows:
    """The flows of *folder*. Raises `BrokenFlows`, `NoFlows`, or `ValueError` where *default* is none of them.

    With one flow there, or one called ``welcome``, *default* may be empty.
    """
    if not folder.is_dir():
        raise NoFlows(f'is "{folder}", which is no folder; give the folder of your flows')
    loaded = load_folder(folder).loaded
    problems = tuple(problem for one in loaded for problem in (*one.problems, *check_flow(one)))
    if has_errors(problems):
        raise BrokenFlows(problems, files=len(loaded))
    versions = [Version(one.flow) for one in loaded if one.flow is not None]
    return Flows(versions, default or _only([version.flow.name for version in versions]))


def load_targets(folder: Path, default: Target, environment: Mapping[str, str]) -> Targets:
    """The targets of *folder*'s ``targets.yaml``, if it has one. Raises `BrokenFlows`."""
    path = folder / "targets.yaml"
    if not path.is_file():
        return Targets(default)
    named, problems = read_targets(path.read_bytes(), path=str(path), default=default, environment=environment)
    if has_errors(problems):
        raise BrokenFlows(problems, files=1)
    return Targets(default, named)


def _only(names: list[str]) -> str:
    return names[0] if len(names) == 1 else "welcome"
