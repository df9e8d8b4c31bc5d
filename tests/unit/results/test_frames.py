from bench.results.frames import first_difference

TABLE = "method,value\na,0.123456789\nb,0.5\n"


def test_the_first_different_line_is_named():
    assert first_difference(TABLE, TABLE.replace("0.123456789", "0.123456780")) == ""
    assert first_difference(TABLE, TABLE.replace("0.5", "0.6")) == ": line 3 is 'b,0.5', not 'b,0.6'"
    assert first_difference(TABLE, TABLE + "c,1\n") == ": line 4 is missing, not 'c,1'"
    assert first_difference("# Board\ntext\n", "# Board\nother text\n") == ": line 2 is 'text', not 'other text'"
    assert first_difference(None, TABLE) == ": it is missing"


def test_a_long_line_is_cut():
    told = first_difference("x" * 200, "y")
    assert told == f": line 1 is '{'x' * 120}…', not 'y'"
