"""The ID photo sizes of documents, as data: countries and documents in five languages, measures, sources.

Names are written `shown/other/other` per language. Keys may not read as a colour, size or format.
"""

from collections.abc import Mapping

LANGUAGES = ("en", "zh", "ru", "es", "fa")


def _names(*columns: str) -> Mapping[str, str]:
    return dict(zip(LANGUAGES, columns, strict=True))


COUNTRIES: Mapping[str, Mapping[str, str]] = {
    "us": _names("United States/USA/America", "美国", "США/Америка", "Estados Unidos/EEUU", "آمریکا/ایالات متحده"),
    "cn": _names("China/CHN/PRC", "中国", "Китай/КНР/Китая", "China", "چین"),
    "ru": _names("Russia/RUS/Russian Federation", "俄罗斯/俄国", "Россия/РФ/России", "Rusia", "روسیه"),
}

KINDS: Mapping[str, Mapping[str, str]] = {
    "passport": _names("passport", "护照", "паспорт/загранпаспорт", "pasaporte", "گذرنامه/پاسپورت"),
    "visa": _names("visa", "签证", "виза/визу/визы", "visado/visa", "ویزا/روادید"),
    "1inch": _names(
        "1 inch/one inch", "一寸/1寸/1英寸/一英寸/一寸照", "1 дюйм/один дюйм", "1 pulgada/una pulgada", "۱ اینچ/یک اینچ/1 اینچ"
    ),
    "2inch": _names("2 inch/two inch", "二寸/两寸/2寸/二寸照/2英寸", "2 дюйма/два дюйма", "2 pulgadas", "۲ اینچ/دو اینچ/2 اینچ"),
}

# country, kind, width mm, height mm, dpi, background, source. A country's first row is what its name means.
DOCUMENTS: tuple[tuple[str, str, float, float, int, str, str], ...] = (
    ("us", "passport", 50.8, 50.8, 300, "FFFFFF", "https://travel.state.gov/content/travel/en/passports/how-apply/photos.html"),
    ("cn", "passport", 33, 48, 300, "FFFFFF", ""),
    ("cn", "1inch", 25, 35, 300, "FFFFFF", ""),
    ("cn", "2inch", 35, 49, 300, "FFFFFF", ""),
    ("ru", "passport", 35, 45, 300, "FFFFFF", ""),
)

# A document's name without a country, where its language says whose is meant.
MAIN_BY_KIND: Mapping[str, str] = {
    "паспорт": "ru", "护照": "cn", "一寸": "cn_1inch", "1 inch": "cn_1inch", "二寸": "cn_2inch",
}
