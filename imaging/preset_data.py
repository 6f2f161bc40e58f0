"""The ID photo sizes of documents, as data: countries and documents in five languages, measures, sources.

Names are written `shown/other/other` per language, in the order of LANGUAGES. No name may read as a size, a colour or
a format (`/idphoto` takes those first; a test holds it).
"""

# ruff: noqa: RUF001  names in five scripts; a table reads best with one row a line

from collections.abc import Mapping

LANGUAGES = ("en", "zh", "ru", "es", "fa")
# Whose document is meant when its name alone is written in a language; English names none.
HOMES: Mapping[str, str] = {"zh": "cn", "ru": "ru", "es": "es", "fa": "ir"}


def _names(*columns: str) -> Mapping[str, str]:
    return dict(zip(LANGUAGES, columns, strict=True))


COUNTRIES: Mapping[str, Mapping[str, str]] = {
    "us": _names(
        "United States/USA/America/United States of America",
        "美国",
        "США/Америка",
        "Estados Unidos/EEUU/EUA",
        "آمریکا/ایالات متحده",
    ),
    "eu": _names(
        "Schengen/Europe/European Union",
        "申根/欧盟/欧洲",
        "Шенген/Шенгенская/ЕС/Европа",
        "Schengen/Unión Europea/Europa",
        "شنگن/اروپا",
    ),
    "gb": _names(
        "United Kingdom/UK/Britain/Great Britain/England/GBR",
        "英国",
        "Великобритания/Англия/Великобритании",
        "Reino Unido/Inglaterra",
        "بریتانیا/انگلیس",
    ),
    "ru": _names("Russia/RUS/Russian Federation", "俄罗斯/俄国", "Россия/РФ/России", "Rusia", "روسیه"),
    "cn": _names("China/CHN/PRC", "中国", "Китай/КНР/Китая", "China", "چین"),
    "in": _names("India/IND", "印度", "Индия/Индии/Индию", "India", "هند/هندوستان"),
    "jp": _names("Japan/JPN", "日本", "Япония/Японии/Японию", "Japón", "ژاپن"),
    "kr": _names("South Korea/Korea/KOR", "韩国", "Южная Корея/Корея/Кореи", "Corea del Sur/Corea", "کره جنوبی/کره"),
    "ca": _names("Canada/CAN", "加拿大", "Канада/Канады/Канаду", "Canadá", "کانادا"),
    "au": _names("Australia/AUS", "澳大利亚/澳洲", "Австралия/Австралии/Австралию", "Australia", "استرالیا"),
    "nz": _names("New Zealand/NZL", "新西兰", "Новая Зеландия", "Nueva Zelanda", "نیوزیلند"),
    "de": _names("Germany/DEU", "德国", "Германия/Германии/Германию", "Alemania", "آلمان"),
    "fr": _names("France/FRA", "法国", "Франция/Франции/Францию", "Francia", "فرانسه"),
    "es": _names("Spain/ESP", "西班牙", "Испания/Испании/Испанию", "España", "اسپانیا"),
    "it": _names("Italy/ITA", "意大利", "Италия/Италии/Италию", "Italia", "ایتالیا"),
    "nl": _names("Netherlands/Holland/NLD", "荷兰", "Нидерланды/Голландия", "Países Bajos/Holanda", "هلند"),
    "at": _names("Austria/AUT", "奥地利", "Австрия/Австрии", "Austria", "اتریش"),
    "be": _names("Belgium/BEL", "比利时", "Бельгия/Бельгии", "Bélgica", "بلژیک"),
    "ie": _names("Ireland/IRL", "爱尔兰", "Ирландия/Ирландии", "Irlanda", "ایرلند"),
    "ee": _names("Estonia/EST", "爱沙尼亚", "Эстония/Эстонии", "Estonia", "استونی"),
    "tr": _names("Turkey/Türkiye/TUR", "土耳其", "Турция/Турции", "Turquía", "ترکیه"),
    "by": _names("Belarus/BLR", "白俄罗斯", "Беларусь/Белоруссия/РБ", "Bielorrusia", "بلاروس"),
    "uz": _names("Uzbekistan/UZB", "乌兹别克斯坦", "Узбекистан/Узбекистана", "Uzbekistán", "ازبکستان"),
    "az": _names("Azerbaijan/AZE", "阿塞拜疆", "Азербайджан/Азербайджана", "Azerbaiyán", "آذربایجان"),
    "ir": _names("Iran/IRN", "伊朗", "Иран/Ирана", "Irán", "ایران"),
    "sa": _names(
        "Saudi Arabia/SAU/KSA", "沙特阿拉伯/沙特", "Саудовская Аравия", "Arabia Saudita", "عربستان سعودی/عربستان"
    ),
    "ae": _names(
        "United Arab Emirates/UAE/Emirates/Dubai",
        "阿联酋/迪拜",
        "ОАЭ/Эмираты/Дубай",
        "Emiratos Árabes Unidos/Emiratos",
        "امارات/دبی",
    ),
    "vn": _names("Vietnam/VNM", "越南", "Вьетнам/Вьетнама", "Vietnam", "ویتنام"),
    "hk": _names("Hong Kong/HKG", "香港", "Гонконг", "Hong Kong", "هنگ کنگ"),
    "tw": _names("Taiwan/TWN", "台湾", "Тайвань", "Taiwán", "تایوان"),
    "sg": _names("Singapore/SGP", "新加坡", "Сингапур", "Singapur", "سنگاپور"),
    "bd": _names("Bangladesh/BGD", "孟加拉国/孟加拉", "Бангладеш", "Bangladés", "بنگلادش"),
    "br": _names("Brazil/BRA", "巴西", "Бразилия/Бразилии", "Brasil", "برزیل"),
    "ar": _names("Argentina/ARG", "阿根廷", "Аргентина/Аргентины", "Argentina", "آرژانتین"),
    "co": _names("Colombia/COL", "哥伦比亚", "Колумбия/Колумбии", "Colombia", "کلمبیا"),
}

KINDS: Mapping[str, Mapping[str, str]] = {
    "passport": _names("passport", "护照", "паспорт/загранпаспорт", "pasaporte", "گذرنامه/پاسپورت"),
    "visa": _names("visa/e-visa", "签证", "виза/визу/визы", "visado/visa", "ویزا/ویزای/روادید"),
    "id": _names(
        "ID card/identity card/national id",
        "身份证",
        "удостоверение личности",
        "DNI/documento de identidad/cédula",
        "کارت ملی/کارت شناسایی",
    ),
    "licence": _names(
        "driving licence/driver's license/driver license",
        "驾驶证/驾照",
        "водительские права/права/водительское удостоверение",
        "permiso de conducir/licencia de conducir",
        "گواهینامه رانندگی/گواهینامه",
    ),
    "residence": _names(
        "residence permit/residence card/permanent resident card",
        "居留卡/居留证/在留卡",
        "вид на жительство/ВНЖ",
        "permiso de residencia",
        "کارت اقامت/اقامت",
    ),
    "lottery": _names(
        "visa lottery/DV lottery/lottery/greencard",
        "抽签移民",
        "лотерея виз/гринкарта/лотерея",
        "lotería de visas/lotería",
        "لاتاری",
    ),
    "permit": _names(
        "Hong Kong and Macau permit/travel permit",
        "港澳通行证/通行证",
        "пропуск в Гонконг и Макао",
        "permiso para Hong Kong y Macao",
        "مجوز هنگ کنگ و ماکائو",
    ),
    "pan": _names("PAN card/PAN", "PAN卡", "карта PAN", "tarjeta PAN", "کارت PAN"),
    "oci": _names("OCI card/OCI", "OCI卡", "карта OCI", "tarjeta OCI", "کارت OCI"),
    "1inch": _names(
        "1 inch/one inch/1inch",
        "一寸/1寸/1英寸/一英寸/一寸照",
        "1 дюйм/один дюйм",
        "1 pulgada/una pulgada",
        "۱ اینچ/یک اینچ",
    ),
    "2inch": _names(
        "2 inch/two inch/2inch",
        "二寸/两寸/2寸/2英寸/二寸照",
        "2 дюйма/два дюйма",
        "2 pulgadas/dos pulgadas",
        "۲ اینچ/دو اینچ",
    ),
    "small1inch": _names(
        "small 1 inch/small one inch", "小一寸/小1寸", "малый 1 дюйм", "1 pulgada pequeña", "۱ اینچ کوچک"
    ),
    "small2inch": _names(
        "small 2 inch/small two inch", "小二寸/小2寸", "малые 2 дюйма", "2 pulgadas pequeña", "۲ اینچ کوچک"
    ),
    "2x2": _names("2x2 in/2x2", "2x2英寸", "2x2 дюйма", "2x2 pulgadas", "۲x۲ اینچ"),
    "3x4": _names("3x4 cm/3x4", "3x4厘米", "фото 3x4/3x4", "3x4 cm", "۳x۴"),
    "4x6": _names("4x6 cm/4x6", "4x6厘米", "фото 4x6/4x6", "4x6 cm", "۴x۶"),
}

_W, _LIGHT = (
    "FFFFFF",
    "E6E6E6",
)  # where "light" or "light grey, not white" is asked for, a grey that both readings allow
_IN = 25.4  # mm
_STATE = "https://travel.state.gov/content/travel/en/us-visas/visa-information-resources/photos.html"
_GOVUK = "https://www.gov.uk/photos-for-passports/photo-requirements"
_PHOTOGOV = "https://photogov.net/"
_CN_SIZES = "http://www.51gaitu.com/help/2025/01/17367543059167329.html"
_CN_SMALL = "https://mdkpw.com/zh-sg/jingyan/4kpmwq.html"
_CN_TRAVEL = "http://yopinpei.com/20250107/2/1277309"  # quotes 出入境证件相片照相指引
_IN_PASSPORT = "https://www.photopass.ai/blog/630x810-pixel-photo-indian-passport"
_IN_OTHER = "http://passport-size.photo/india.html"
_SAUDI = "https://fastpassportphotoonline.com/saudi-arabia"
_UAE = "https://fastpassportphotoonline.com/united-arab-emirates"
_MVD = "https://mvdlnr.ru/feed/passport-rf-news/movies/45-trebovanija-k-fotografijam-na-dokumenty-dlja-poluchenija-grazhdanstva-rf.html"
_DNI = "https://fotoscarnetmanresa.es/normativa.html"  # quotes Real Decreto 1553/2005 and 411/2014
_OTHERS = "http://ezcopy.net/other-countries"

# country ("" for none), document, width mm, height mm, dpi, background, source. A country's first row is what its
# name alone means. 457 dpi makes India's 630x810 pixels of 35x45 mm.
DOCUMENTS: tuple[tuple[str, str, float, float, int, str, str], ...] = (
    (
        "us",
        "passport",
        2 * _IN,
        2 * _IN,
        300,
        _W,
        "https://travel.state.gov/content/travel/en/passports/how-apply/photos.html",
    ),
    ("us", "visa", 2 * _IN, 2 * _IN, 300, _W, _STATE),
    ("us", "residence", 2 * _IN, 2 * _IN, 300, _W, _STATE),
    ("us", "lottery", 2 * _IN, 2 * _IN, 300, _W, _STATE),
    ("eu", "visa", 35, 45, 300, _LIGHT, "https://www.anfas.pro/en/foto/germany/schengen-visa/"),
    ("gb", "passport", 35, 45, 300, _LIGHT, _GOVUK),
    ("gb", "visa", 35, 45, 300, _LIGHT, _GOVUK),
    ("ru", "passport", 35, 45, 300, _W, _MVD),
    ("ru", "visa", 35, 45, 300, _W, _OTHERS),
    ("ru", "residence", 35, 45, 300, _W, _MVD),
    ("cn", "passport", 33, 48, 300, _W, _CN_TRAVEL),
    ("cn", "visa", 33, 48, 300, _W, _CN_TRAVEL),
    ("cn", "permit", 33, 48, 300, _W, _CN_TRAVEL),
    ("cn", "id", 26, 32, 350, _W, "http://www.lh987.com/shucs/202510/333937.html"),
    ("cn", "licence", 22, 32, 300, _W, _CN_SMALL),
    ("cn", "1inch", 25, 35, 300, _W, _CN_SIZES),
    ("cn", "2inch", 35, 49, 300, _W, _CN_SIZES),
    ("cn", "small1inch", 22, 32, 300, _W, _CN_SMALL),
    ("cn", "small2inch", 33, 48, 300, _W, _CN_TRAVEL),
    ("in", "passport", 35, 45, 457, _W, _IN_PASSPORT),
    ("in", "visa", 2 * _IN, 2 * _IN, 300, _W, "https://foto-gruen.de/visa-bilder"),
    ("in", "pan", 25, 35, 300, _W, _IN_OTHER),
    ("in", "oci", 2 * _IN, 2 * _IN, 300, _W, _IN_OTHER),
    ("jp", "passport", 35, 45, 300, _W, "https://www.anfas.pro/en/compare/japan-document-photo-specs/"),
    ("jp", "visa", 35, 45, 300, _W, "https://www.anfas.pro/en/compare/japan-document-photo-specs/"),
    ("jp", "residence", 30, 40, 300, _W, "https://www.diveintojapan.com/help/visa/visa-photo-requirement/"),
    ("kr", "passport", 35, 45, 300, _W, _OTHERS),
    ("kr", "visa", 35, 45, 300, _W, "https://mashanggame.com/MiniProgramDevelopment/zhfknvdtuc.html"),
    ("ca", "passport", 50, 70, 300, _W, "https://easypassportphoto.com/ca/passport-photo-vs-visa-photo"),
    ("ca", "visa", 35, 45, 300, _W, "https://mynewidphoto.com/meta/guides/ca-visa/?hl=zh-hant"),
    ("au", "passport", 35, 45, 300, _W, "https://imagemint.app/en/id-photo/australia"),
    ("nz", "passport", 35, 45, 300, _LIGHT, "https://www.passports.govt.nz/passport-photos/"),
    ("de", "passport", 35, 45, 300, _LIGHT, "https://www.passbildformate.de/das-biometrische-passbild/"),
    ("de", "id", 35, 45, 300, _LIGHT, "https://www.passbildformate.de/das-biometrische-passbild/"),
    ("fr", "passport", 35, 45, 300, _LIGHT, "https://www.service-public.fr/particuliers/vosdroits/F10619"),
    ("es", "passport", 26, 32, 300, _W, _DNI),
    ("es", "id", 26, 32, 300, _W, _DNI),
    ("it", "passport", 35, 45, 300, _W, _OTHERS),
    ("nl", "passport", 35, 45, 300, _LIGHT, _OTHERS),
    ("at", "passport", 35, 45, 300, _LIGHT, _PHOTOGOV),
    ("be", "passport", 35, 45, 300, _LIGHT, _PHOTOGOV),
    (
        "ie",
        "passport",
        35,
        45,
        300,
        _W,
        "https://www.dfa.ie/irish-consulate/vancouver/passports/top-passport-questions/photo-guidelines/",
    ),
    ("ee", "passport", 40, 50, 300, _LIGHT, "https://kodak-express.co.uk/countries/estonia"),
    ("tr", "passport", 50, 60, 300, _W, "https://id.photos/id-photo-guide-book/turkey/passport-photo"),
    ("by", "passport", 40, 50, 300, _W, "https://photopassport.app/requirements/Belarus"),
    ("by", "visa", 35, 45, 300, _W, "https://photopassport.app/requirements/Belarus"),
    ("uz", "passport", 35, 45, 300, _W, "https://anfas.pro/en/foto/uzbekistan/international-passport/"),
    ("az", "passport", 35, 45, 300, _W, _PHOTOGOV),
    (
        "ir",
        "passport",
        35,
        45,
        300,
        _W,
        "https://www.timpson.co.uk/services/passport-photos/international-passport-photo-sizes/iran.html",
    ),
    (
        "ir",
        "visa",
        40,
        60,
        300,
        _W,
        "https://evisatraveller.mfa.ir/en/request/digital_image_requirement/?title_name=photo",
    ),
    ("sa", "passport", 40, 60, 300, _W, _SAUDI),
    ("sa", "visa", 2 * _IN, 2 * _IN, 300, _W, _SAUDI),
    ("ae", "passport", 40, 60, 300, _W, _UAE),
    (
        "ae",
        "visa",
        43,
        55,
        300,
        _W,
        "https://www.timpson.co.uk/services/passport-photos/international-passport-photo-sizes/united-arab-emirates.html",
    ),
    ("vn", "passport", 40, 60, 300, _W, "https://idphotofree.com/en/global-passport-photo-sizes"),
    ("vn", "visa", 40, 60, 300, _W, "http://evisatovietnam.com/vietnam-visa-passport-photo-sizes-requirements"),
    ("hk", "passport", 40, 50, 300, _W, "http://passport-photos.net/hong-kong-passport-photos/"),
    ("tw", "passport", 35, 45, 300, _W, "https://www.boca.gov.tw/"),
    ("sg", "passport", 35, 45, 300, _W, _OTHERS),
    ("bd", "passport", 45, 55, 300, _W, _PHOTOGOV),
    ("br", "passport", 50, 70, 300, _W, "https://www.anfas.pro/en/compare/brazil-document-photo-specs/"),
    ("br", "visa", 35, 45, 300, _W, "https://www.anfas.pro/en/compare/brazil-document-photo-specs/"),
    ("ar", "passport", 40, 40, 300, _W, "https://kodakexpress.shop/countries/page/12"),
    ("co", "passport", 40, 50, 300, _W, "https://kodakexpress.shop/countries/page/10"),
    ("", "passport", 35, 45, 300, _W, "https://www.icao.int/publications/doc-series/doc-9303"),
    ("", "2x2", 2 * _IN, 2 * _IN, 300, _W, _STATE),
    ("", "3x4", 30, 40, 300, _W, "https://svyazin.ru/blogi/kakoj-razmer-foto-na-rossijskij-pasport"),
    ("", "4x6", 40, 60, 300, _W, "https://idphotofree.com/en/global-passport-photo-sizes"),
)
