import pickle

from cohortsmith.errors import ConfigurationError, LeakageError, ScanRejected


def test_a_message_says_what_where_got_expected_and_what_to_do():
    error = ConfigurationError("bad value", where="seed", got="-1", expected=">= 0", remedy="raise it")

    assert str(error).splitlines() == [
        "bad value",
        "  where: seed",
        "  got: -1",
        "  expected: >= 0",
        "  what to do: raise it",
    ]


def test_an_error_survives_the_trip_from_a_worker_process():
    error = ScanRejected("4-D scan", where="sub-1_ses-1", remedy="split it")

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy)) == (ScanRejected, str(error))


def test_exit_codes_tell_configuration_from_leakage():
    assert (ConfigurationError("a").exit_code, LeakageError("b").exit_code) == (2, 3)
