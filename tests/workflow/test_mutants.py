"""A sample of the mutation tests, so that the script works when it is needed. All of it: `make test-full`."""

from cli.definition import STOP
from tests.workflow.mutants import checks, mutants, survivors_of


def test_half_of_a_sample_of_the_mutants_of_the_stop_is_killed() -> None:
    of_the_stop = [(number, each) for number, each in enumerate(checks()) if each.path.name == "test_stop_workflow.py"]
    first_of_each_test = {check.originalname: number for number, check in reversed(of_the_stop)}
    sample = [mutant for mutant in mutants() if mutant.source == STOP][::40]
    survivors = list(survivors_of(sample, sorted(first_of_each_test.values())))
    # The script runs every test with all its parameters; one each is what there is time for here.
    assert len(survivors) <= len(sample) / 2, survivors
