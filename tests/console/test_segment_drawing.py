"""The segments' map as it is drawn: every box on its side, every crossing a line between two of them."""

from console.segment_drawing import ROW, drawn


def test_boxes_stand_one_below_another_and_lines_lead_from_one_to_the_other() -> None:
    found = drawn([("a", 3), ("b", 1)], [("b", 2)], [("a", "b", "allow"), ("b", "b", "hold"), ("c", "b", "allow")])
    assert [(box.name, box.number) for box in found.left] == [("a", 3), ("b", 1)]
    assert found.left[1].y - found.left[0].y == ROW
    assert [(link.y1, link.y2, link.verdict, link.within) for link in found.links] == [
        (found.left[0].middle - 3, found.right[0].middle - 3, "allow", False),
        (found.left[1].middle + 3, found.right[0].middle + 3, "hold", True),
    ]


def test_fifty_segments_on_each_side_stay_apart() -> None:
    names = [(f"s{n}", n) for n in range(50)]
    found = drawn(names, names, [])
    assert len({box.y for box in found.left}) == 50
    assert found.height >= 50 * ROW
