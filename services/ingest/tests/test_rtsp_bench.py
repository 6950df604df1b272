"""The bench runs, and its cameras are cameras."""

from __future__ import annotations

from lamplight_ingest import bench


def test_a_short_bench_gives_its_measures() -> None:
    """In the form that `lamplight bench` prints: both sides saw pictures."""
    result = bench.run(streams=4, bare_streams=1, seconds=2.0)
    assert result["bench"] == "ingest"
    measures = result["measures"]
    assert isinstance(measures, list)
    values = {measure["name"]: measure["value"] for measure in measures}
    assert values["keyframes_a_stream_and_second"] > 0
    assert values["libavformat_pictures_a_stream_and_second"] > 5
    assert values["cpu_a_stream_and_second"] > 0
    assert all({"name", "value", "unit", "limit", "limit_is", "ratio"} == set(measure) for measure in measures)
