"""A sample of the mutation tests, so that the script works when it is needed. All of it: `make test-full`."""

from tests.workflow.mutants import checks, mutants, survivors_of


def test_most_of_a_sample_of_the_mutants_are_killed() -> None:
    first_of_each_test = {check.originalname: number for number, check in reversed(list(enumerate(checks())))}
    sample = mutants()[::120]
    survivors = survivors_of(sample, sorted(first_of_each_test.values()))
    # The script runs every test with all its parameters; one each is what there is time for here.
    assert len(survivors) < len(sample) / 2, survivors
