"""The file of prices that ``[omics] price_list`` names: its forms, and what is wrong with one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._monitoring.price_file import configured_prices, price_list_from_config

pytestmark = pytest.mark.any_airflow

Write = Callable[..., Path]
LIST = {"region": "us-west-2", "as_of": "2026-07-01", "prices": {"omics.m.xlarge": 0.2592, "Run Storage": 0}}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file and let the configuration name it."""

    def write_file(content: Any, name: str = "prices.json") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        monkeypatch.setenv("AIRFLOW__OMICS__PRICE_LIST", str(path))
        return path

    return write_file


def offer(resource: str, price: str, **attributes: Any) -> dict[str, Any]:
    unit = attributes.pop("unit", "Instance-hrs" if resource.startswith("omics.") else "GB-Hours")
    return {
        "product": {
            "attributes": {
                "regionCode": "us-west-2",
                "resourceType": resource,
                "workflowType": "Private",
                **attributes,
            }
        },
        "terms": {
            "OnDemand": {
                "S.T": {"priceDimensions": {"S.T.D": {"unit": unit, "pricePerUnit": {"USD": price}}}}
            }
        },
        "publicationDate": "2026-08-21T00:00:00Z",
    }


# -- the forms -----------------------------------------------------------------------------------------------


def test_a_region_is_one_object(write: Write) -> None:
    path = write(LIST)
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.prices == {"omics.m.xlarge": 0.2592, "Run Storage": 0.0}
    assert (prices.region, prices.as_of, prices.source) == ("us-west-2", "2026-07-01", str(path))
    assert (prices.currency, prices.factor) == ("USD", 1.0)


def test_several_regions_are_a_list(write: Write) -> None:
    write([LIST, {"region": "cn-north-1", "currency": "CNY", "prices": {"omics.m.xlarge": "1.5"}}])
    there, here = configured_prices("cn-north-1"), configured_prices("us-west-2")
    assert there is not None
    assert here is not None
    assert (there.currency, there.as_of, there.price_of("omics.m.xlarge")) == ("CNY", None, 1.5)
    assert here.price_of("omics.m.xlarge") == 0.2592


def test_a_region_may_come_twice_if_no_price_does(write: Write) -> None:
    write([LIST, {"region": "us-west-2", "as_of": "2026-08-01", "prices": {"omics.c.large": 0.1}}])
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert (len(prices.prices), prices.as_of) == (3, "2026-08-01")


@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_a_csv_has_a_row_for_each_price(write: Write, begin: str) -> None:
    rows = ("Region,Resource,Price,As_of", "us-west-2,omics.m.xlarge,0.2592,2026-07-01", "")
    write(begin + "\n".join((*rows, "us-west-2, Run Storage ,0,")), "prices.CSV")
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.prices == {"omics.m.xlarge": 0.2592, "Run Storage": 0.0}
    assert prices.as_of == "2026-07-01"


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_what_the_pricing_api_answers_is_a_file(write: Write, form: Any) -> None:
    offers = [offer("omics.m.xlarge", "0.2592000000"), offer("Run Storage", "0.0001918000")]
    write({"PriceList": [form(each) for each in offers], "FormatVersion": "aws_v1"})
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.prices == {"omics.m.xlarge": 0.2592, "Run Storage": 0.0001918}
    assert prices.as_of == "2026-08-21T00:00:00Z"


def test_prices_are_as_of_the_newest_of_them(write: Write) -> None:
    older = {**offer("Run Storage", "0.1"), "publicationDate": "2026-01-01T00:00:00Z"}
    write({"PriceList": [offer("omics.m.xlarge", "0.2592"), older]})
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.as_of == "2026-08-21T00:00:00Z"


def test_an_offer_file_of_aws_is_a_file(write: Write) -> None:
    one, other = offer("omics.m.xlarge", "0.2592"), offer("omics.c.large", "0.1", regionCode="eu-west-1")
    write(
        {
            "offerCode": "AmazonOmics",
            "publicationDate": "2026-09-01T00:00:00Z",
            "products": {"A": one["product"], "B": other["product"], "C": {"attributes": {}}},
            "terms": {"OnDemand": {"A": one["terms"]["OnDemand"], "B": other["terms"]["OnDemand"]}},
        }
    )
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert (prices.prices, prices.as_of) == ({"omics.m.xlarge": 0.2592}, "2026-09-01T00:00:00Z")
    assert configured_prices("eu-west-1") is not None


def test_what_cannot_be_read_for_certain_has_no_price(write: Write) -> None:
    twice = offer("omics.r.large", "0.1")
    dimensions = twice["terms"]["OnDemand"]["S.T"]["priceDimensions"]
    dimensions["S.T.E"] = {"unit": "Instance-hrs", "pricePerUnit": {"USD": "0.2"}}
    euros = offer("omics.c.4xlarge", "0.1")
    [dimension] = euros["terms"]["OnDemand"]["S.T"]["priceDimensions"].values()
    dimension["pricePerUnit"] = {"EUR": "0.1"}
    offers = [
        offer("omics.m.xlarge", "0.2592"),
        twice,
        offer("omics.c.large", "0.1", unit="Instance-secs"),
        offer("Run Storage", "0.1", unit="Instance-hrs"),
        offer("omics.c.xlarge", "0.1", workflowType="Ready2Run"),
        offer("omics.c.2xlarge", "free"),
        euros,
        {},
    ]
    write({"PriceList": offers})
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.prices == {"omics.m.xlarge": 0.2592}


# -- the configuration ---------------------------------------------------------------------------------------


def test_without_a_file_there_are_no_prices() -> None:
    assert configured_prices("us-west-2") is None
    assert price_list_from_config("us-west-2") is None


def test_a_discount_multiplies_each_price(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(LIST)
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_FACTOR", "0.9")
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.price_of("omics.m.xlarge") == pytest.approx(0.23328)


@pytest.mark.parametrize("factor", ["0", "-1", "ten percent", "nan", "inf", ""])
def test_a_discount_that_is_none_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch, factor: str
) -> None:
    write(LIST)
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_FACTOR", factor)
    with pytest.raises(
        ValueError, match=rf"^\[omics\] price_factor is '{factor}'; it takes a number above 0"
    ):
        configured_prices("us-west-2")


def test_a_file_is_read_again_only_if_it_has_changed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(LIST)
    reads: list[Path] = []
    really = Path.read_text

    def read_text(self: Path, **options: Any) -> str:
        reads.append(self)
        return really(self, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    for _ in range(3):
        configured_prices("us-west-2")
    assert reads == [path]
    write({**LIST, "prices": {"omics.m.xlarge": 0.5000}})
    os.utime(path, ns=(1, 1))
    changed = configured_prices("us-west-2")
    assert changed is not None
    assert changed.price_of("omics.m.xlarge") == 0.5
    assert len(reads) == 2


# -- what is wrong -------------------------------------------------------------------------------------------


WRONG: list[tuple[Any, str]] = [
    ("[" * 100_000, "it is JSON of too many lists or objects, one inside the other"),
    ({"region": "us-west-2", "prices": {"a": 10**400}}, "the price of a in us-west-2 is 10+; it takes"),
    ({"PriceList": [offer("omics.c.large", 10**400)]}, "AWS publishes no prices"),  # type: ignore[arg-type]
    ({"PriceList": ["[" * 100_000]}, "it is JSON of too many lists"),
    ("{", r"it is not JSON \(Expecting"),
    ("[]", "it has no prices"),
    ("7", "it is not an object with region and prices, nor a list of such objects"),
    ({"prices": {"a": 1}}, "a region is None; it takes one such as us-west-2"),
    ({"region": "us-west-2"}, "us-west-2 has no prices; they are an object of a number for each resource"),
    ({"region": "us-west-2", "prices": {}}, "us-west-2 has no prices"),
    ({**LIST, "prices": {"a": -1}}, "the price of a in us-west-2 is -1; it takes a number, 0 or more"),
    ({**LIST, "prices": {"a": True}}, "the price of a in us-west-2 is True; it takes a number"),
    ({**LIST, "prices": {"a": None}}, "the price of a in us-west-2 is None; it takes a number"),
    ({**LIST, "prices": {"a": "NaN"}}, "the price of a in us-west-2 is 'NaN'; it takes a number"),
    ({**LIST, "currency": "dollars"}, "the currency of us-west-2 is 'dollars'; it takes USD or CNY"),
    ({**LIST, "as_of": 2026}, "as_of of us-west-2 is 2026; it takes a date as text, such as 2026-07-01"),
    ([LIST, {**LIST, "currency": "CNY"}], "us-west-2 has prices in USD and in CNY"),
    (
        [LIST, {"region": "us-west-2", "prices": {"omics.m.xlarge": 1}}],
        "omics.m.xlarge has two prices in us-west-2",
    ),
    ({"PriceList": {}}, "its PriceList is no list"),
    ({"PriceList": [7]}, "its PriceList holds something else than offers"),
    ({"PriceList": []}, "AWS publishes no prices of AmazonOmics' private workflows in it"),
    ({"products": {}}, "its products or its terms are missing"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_file_that_is_wrong_is_refused_in_one_sentence(write: Write, content: Any, words: str) -> None:
    path = write(content)
    with pytest.raises(ValueError, match=words) as caught:
        configured_prices("us-west-2")
    said = str(caught.value)
    assert said.startswith(f"[omics] price_list, {path}, cannot be used: ")
    assert said.endswith(".")
    assert price_list_from_config("us-west-2") is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "its first line has no column 'region'; it takes region, resource, price"),
        ("region,resource\n", "its first line has no column 'price'"),
        ("region,resource,price\n", "it has no prices"),
        ("region,resource,price\nus-west-2,a\n", "the price of a in us-west-2 is ''"),
        ("region,resource,price\n,a,1\n", "a region is ''"),
        ("region,resource,price,currency\nus-west-2,a,1,EUR\n", "is 'EUR'; it takes USD or CNY"),
    ],
)
def test_a_csv_that_is_wrong_is_refused_in_one_sentence(write: Write, rows: str, words: str) -> None:
    write(rows, "prices.csv")
    with pytest.raises(ValueError, match=words):
        configured_prices("us-west-2")


def test_a_csv_that_no_reader_takes_is_refused_in_one_sentence(write: Write) -> None:
    path = write(f"region,resource,price\nus-west-2,{'a' * 200_000},1\n", "prices.csv")
    with pytest.raises(ValueError, match=r"it is not CSV \(field larger than field limit.*\)\.$") as caught:
        configured_prices("us-west-2")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("dimension", ["text", [], None, 7])
def test_a_published_price_of_another_shape_is_none(write: Write, dimension: Any) -> None:
    odd = offer("omics.c.large", "0.1")
    odd["terms"]["OnDemand"]["S.T"]["priceDimensions"]["S.T.D"] = dimension
    write({"PriceList": [odd, offer("omics.m.xlarge", "0.2592")]})
    prices = configured_prices("us-west-2")
    assert prices is not None
    assert prices.prices == {"omics.m.xlarge": 0.2592}


def test_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory")):
        monkeypatch.setenv("AIRFLOW__OMICS__PRICE_LIST", str(path))
        with pytest.raises(
            ValueError, match=rf"which cannot be read \({why}.*takes the path of a JSON or CSV"
        ):
            configured_prices("us-west-2")


def test_a_file_in_another_encoding_is_refused(write: Write) -> None:
    write(LIST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="it is not text in UTF-8"):
        configured_prices("us-west-2")


def test_a_region_that_the_file_lacks_is_named(write: Write) -> None:
    path = write([LIST, {**LIST, "region": "eu-west-1"}])
    with pytest.raises(ValueError, match="eu-central-1") as caught:
        configured_prices("eu-central-1")
    assert str(caught.value) == (
        f"[omics] price_list, {path}, has no prices of eu-central-1; it has those of eu-west-1, us-west-2."
    )


def test_a_page_shows_no_money_and_says_why_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write({**LIST, "prices": {"a": -1}})
    for _ in range(3):
        assert price_list_from_config("us-west-2") is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["No money is shown"]
    write(LIST)
    assert price_list_from_config("us-west-2") is not None
    assert price_list_from_config(None) is None
    assert len(caplog.records) == 1


def test_pages_of_several_regions_say_each_mistake_once(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write(LIST)
    for _ in range(3):
        for region in ("eu-west-1", "eu-west-2"):
            assert price_list_from_config(region) is None
    assert [("eu-west-1" in line, "eu-west-2" in line) for line in caplog.messages] == [
        (True, False),
        (False, True),
    ]


def test_a_page_shows_no_money_if_airflow_cannot_read_the_option(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def get(*_: Any, **__: Any) -> str:
        raise RuntimeError("'%' must be followed by '%' or '('")

    monkeypatch.setattr("airflow_omics._compat.conf.get", get)
    assert price_list_from_config("us-west-2") is None
    assert caplog.messages == ["No money is shown: '%' must be followed by '%' or '('"]
