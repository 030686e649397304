"""What others see of a pattern: its tree and its paths."""

from eventcenter.pattern import All, Any, Condition, EventPattern, Exact, Numeric, Path, Prefix, paths


def test_the_tree() -> None:
    pattern = EventPattern.parse(
        '{"type":["a",{"prefix":"b"}],"data":{"n":[{"numeric":[">",1]}],"$or":[{"x":[1]},{"y":[null]}]}}'
    )
    kind = Path(field="type")
    n, x, y = (Path(field="data", keys=(key,)) for key in "nxy")
    assert pattern.root == All(
        nodes=(
            Any(
                nodes=(
                    Condition(path=kind, test=Exact(value="a")),
                    Condition(path=kind, test=Prefix(text="b")),
                )
            ),
            All(
                nodes=(
                    Condition(path=n, test=Numeric(comparisons=((">", 1),))),
                    Any(
                        nodes=(
                            Condition(path=x, test=Exact(value=1)),
                            Condition(path=y, test=Exact(value=None)),
                        )
                    ),
                )
            ),
        )
    )
    assert paths(pattern) == (kind, n, x, y)
    assert [path.text for path in paths(pattern)] == ["type", "data.n", "data.x", "data.y"]


def test_a_key_with_dots_has_two_readings() -> None:
    path = Path(field="data", keys=("a.b", "c", "d.e"))
    assert path.readings == (
        ("a.b", "c", "d.e"),
        ("a.b", "c", "d", "e"),
        ("a", "b", "c", "d.e"),
        ("a", "b", "c", "d", "e"),
    )
    assert path.text == "data.a.b.c.d.e"


def test_patterns_are_values() -> None:
    one, other = (EventPattern.parse(text) for text in ('{"type": ["a"]}', '{"type":["a"]}'))
    assert one == other
    assert len({one, other}) == 1
