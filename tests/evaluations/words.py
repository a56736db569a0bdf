"""A task as a user might write one: three lines and a decorator."""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import includes


@task
def words(letter: str = "e") -> Task:
    samples = [Sample(id=word, input=f"Write the word {word}.", target=letter) for word in ("one", "two", "three")]
    return Task(dataset=MemoryDataset(samples), scorer=includes())
