"""A judge whose replies the test writes."""

from collections.abc import Callable

from midspec.llm.prompt import Ask, Reply


class SaidJudge:
    """Replies what `say` gives for an ask: a text, or a whole Reply."""

    name = "said"

    def __init__(self, say: Callable[[Ask], str | Reply]) -> None:
        self.say = say
        self.asked: list[Ask] = []

    async def write(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        said = self.say(ask)
        return Reply(said) if isinstance(said, str) else said

    def reject(self, reply: Reply, reason: str) -> None:
        pass
