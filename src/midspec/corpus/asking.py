"""What all stages of one corpus share: who is asked, about which spec, and the count of what was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from midspec.corpus.control import Control
from midspec.corpus.filled import spec_variables
from midspec.corpus.planned import Subdomain
from midspec.corpus.replies import prompts_of
from midspec.experiment import CorpusConfig
from midspec.llm.prompt import PromptTemplate
from midspec.llm.writer import STRIDE, Scribe
from midspec.spec.document import Identity, ModelSpec

T = TypeVar("T")


class Asking:
    """Asks about one spec."""

    def __init__(
        self,
        scribe: Scribe,
        spec: ModelSpec,
        identity: Identity,
        config: CorpusConfig,
        control: Control | None = None,
    ) -> None:
        """`control`: of the kinds `paraphrase` and `neutral`. Raises InputError where kind and style of `config` do
        not go together."""
        self.scribe = scribe
        self.spec = spec
        self.identity = identity
        self.config = config
        self.prompts = prompts_of(config)
        self.control = control or Control()
        # A neutral document is written without a word of any spec in sight.
        self.shared = {} if config.kind == "neutral" else spec_variables(spec, identity)
        self.repaired: Counter[str] = Counter()
        """What was mended in replies, by name."""

    async def ask(
        self,
        template: PromptTemplate[T],
        variables: dict[str, Any],
        check: Callable[[T], object] | None = None,
        number: int = 0,
    ) -> T:
        """The parsed reply; what `check` returns is thrown away. `number` asks for another sample.

        Raises WriterError where no reply can be used.
        """

        def checked(reply: T) -> None:
            if check is not None:
                check(reply)

        return await self.scribe.ask(template, {**self.shared, **variables}, self.sample(number), checked)

    def sample(self, number: int = 0) -> int:
        """Sample index of the corpus' seed."""
        return self.config.seed * STRIDE + number

    def about(self, subdomain: Subdomain) -> dict[str, Any]:
        """What prompts are told about a subdomain, identity filled in."""
        return {
            "domain": subdomain.domain,
            "subdomain": subdomain.name,
            "summary": subdomain.summary,
            "section": self.identity.fill(subdomain.section),
            "passage": self.identity.fill(self.spec.text[slice(*subdomain.span)]),
            "rule": subdomain.rule,
            "assertions": [assertion.text for assertion in subdomain.assertions],
        }
