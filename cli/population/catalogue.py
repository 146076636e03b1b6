"""What the simulated shops sell, in Chinese and in English. All brands are invented."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One sku. Names, category and brand by language (``zh``, ``en``); the price in fen; ``shelf`` is the key of its category."""

    sku: str
    name: dict[str, str]
    category: dict[str, str]
    brand: dict[str, str]
    price_fen: int
    shelf: str


#: key: (Chinese category, English category, variants, (Chinese name, English name, brand key, yuan) ...)
_SHELVES = {
    "running": (
        "跑步装备",
        "running",
        "size",
        (
            ("碳板竞速跑鞋", "carbon racing shoes", "cloudstep", 1299),
            ("缓震慢跑鞋", "cushioned trainers", "cloudstep", 569),
            ("入门跑步鞋", "starter running shoes", "lightwind", 269),
            ("联名限定跑鞋", "limited collab runners", "suroom", 1499),
            ("心率手表", "heart-rate watch", "pulsar", 1899),
            ("速干背心", "quick-dry singlet", "lightwind", 99),
            ("压缩小腿套", "calf sleeves", "cloudstep", 129),
            ("能量胶十二支", "energy gels, box of 12", "greenfield", 158),
        ),
    ),
    "fashion": (
        "设计师女装",
        "designer fashion",
        "colour",
        (
            ("不对称针织衫", "asymmetric knit", "suroom", 899),
            ("真丝衬衫", "silk shirt", "suroom", 1280),
            ("廓形西装外套", "oversized blazer", "nightbus", 1599),
            ("复古牛仔裤", "vintage jeans", "nightbus", 499),
            ("小众手作耳饰", "handmade earrings", "moonalley", 239),
            ("羊毛长大衣", "long wool coat", "suroom", 2680),
            ("百褶半身裙", "pleated skirt", "nightbus", 369),
            ("帆布托特包", "canvas tote", "moonalley", 189),
        ),
    ),
    "beauty": (
        "美妆护肤",
        "beauty",
        "colour",
        (
            ("舒缓面霜", "calming cream", "floret", 268),
            ("氨基酸洁面", "amino cleanser", "floret", 89),
            ("哑光口红", "matte lipstick", "moonalley", 159),
            ("防晒乳", "sunscreen lotion", "floret", 128),
            ("修护精华", "repair serum", "dewlab", 499),
            ("补水面膜十片", "sheet masks, pack of 10", "dewlab", 79),
        ),
    ),
    "baby": (
        "母婴用品",
        "mother and baby",
        "size",
        (
            ("有机棉连体衣", "organic cotton romper", "firstcotton", 129),
            ("宽口径奶瓶", "wide-neck bottle", "littlebear", 99),
            ("婴儿推车", "baby stroller", "littlebear", 1690),
            ("纸尿裤大包装", "nappies, large pack", "firstcotton", 139),
            ("儿童安全座椅", "child car seat", "littlebear", 2190),
            ("辅食料理机", "baby food maker", "lightkitchen", 359),
            ("绘本套装", "picture book set", "papertree", 168),
        ),
    ),
    "cameras": (
        "摄影器材",
        "cameras",
        "colour",
        (
            ("全画幅微单", "full-frame mirrorless camera", "lumen", 11999),
            ("入门微单套机", "starter mirrorless kit", "lumen", 4299),
            ("口袋云台相机", "pocket gimbal camera", "skyeye", 2899),
            ("复古胶片相机", "retro film camera", "lumen", 1999),
        ),
    ),
    "photo-extras": (
        "摄影配件与课程",
        "photo accessories and lessons",
        "size",
        (
            ("摄影入门课", "photography course for beginners", "papertree", 299),
            ("定焦镜头", "prime lens", "lumen", 2199),
            ("碳纤维三脚架", "carbon tripod", "skyeye", 699),
            ("高速存储卡", "fast memory card", "skyeye", 239),
            ("摄影背包", "camera backpack", "wildridge", 459),
        ),
    ),
    "electronics": (
        "数码家电",
        "electronics",
        "colour",
        (
            ("降噪耳机", "noise-cancelling headphones", "soundsea", 1499),
            ("机械键盘", "mechanical keyboard", "pulsar", 399),
            ("扫地机器人", "robot vacuum", "tidyhome", 2599),
            ("空气净化器", "air purifier", "tidyhome", 1299),
            ("4K显示器", "4K monitor", "pulsar", 2199),
            ("蓝牙音箱", "bluetooth speaker", "soundsea", 299),
            ("快充充电器", "fast charger", "pulsar", 89),
        ),
    ),
    "home": (
        "家居日用",
        "home",
        "colour",
        (
            ("乳胶枕", "latex pillow", "tidyhome", 199),
            ("纯棉四件套", "cotton bedding set", "firstcotton", 459),
            ("不粘炒锅", "non-stick wok", "lightkitchen", 229),
            ("抽纸整箱", "tissues, full case", "tidyhome", 49),
            ("洗衣液两瓶", "laundry liquid, 2 bottles", "tidyhome", 39),
            ("收纳箱", "storage box", "tidyhome", 29),
            ("护眼台灯", "reading lamp", "lumen", 259),
        ),
    ),
    "grocery": (
        "食品生鲜",
        "grocery",
        "size",
        (
            ("东北大米十斤", "rice, 5 kg", "greenfield", 59),
            ("车厘子礼盒", "cherry gift box", "greenfield", 199),
            ("鲜牛奶一周装", "fresh milk, weekly", "greenfield", 69),
            ("手冲咖啡豆", "filter coffee beans", "slowcup", 88),
            ("坚果礼包", "mixed nuts", "greenfield", 99),
            ("明前龙井", "spring green tea", "slowcup", 368),
        ),
    ),
    "lunch": (
        "工作午餐",
        "weekday lunch",
        "",
        (
            ("香菇滑鸡饭", "mushroom chicken rice", "ricebowl", 28),
            ("轻食沙拉", "chicken salad", "leafday", 36),
            ("牛肉面", "beef noodles", "ricebowl", 26),
            ("三明治套餐", "sandwich set", "leafday", 32),
        ),
    ),
    "dinner": (
        "家庭晚餐",
        "family dinner",
        "",
        (
            ("烤鱼双人餐", "grilled fish for two", "lanternhouse", 138),
            ("家庭披萨套餐", "family pizza set", "lanternhouse", 158),
            ("清蒸鲈鱼", "steamed bass", "lanternhouse", 78),
            ("蔬菜拼盘", "vegetable platter", "leafday", 38),
            ("糖醋排骨", "sweet and sour ribs", "lanternhouse", 58),
        ),
    ),
    "snack": (
        "深夜小吃",
        "late snack",
        "",
        (
            ("烤串十串", "skewers, ten", "nightgrill", 45),
            ("麻辣小龙虾", "spicy crayfish", "nightgrill", 98),
            ("珍珠奶茶", "bubble tea", "slowcup", 18),
            ("炸鸡桶", "fried chicken bucket", "nightgrill", 59),
        ),
    ),
    "water": (
        "水务缴费",
        "water service",
        "",
        (
            ("水费缴纳", "water bill", "citywater", 86),
            ("水表检修上门", "meter repair visit", "citywater", 60),
            ("净水滤芯更换", "filter replacement", "citywater", 120),
        ),
    ),
    "premium": (
        "臻选礼品",
        "premium gifts",
        "colour",
        (
            ("手工皮具", "handmade leather bag", "oldharbour", 5800),
            ("机械腕表", "mechanical watch", "oldharbour", 16800),
            ("羊绒披肩", "cashmere shawl", "suroom", 2380),
            ("年份威士忌", "aged whisky", "oldharbour", 1880),
            ("温泉酒店两晚", "two nights at a spa hotel", "quietstay", 3600),
        ),
    ),
}

_BRANDS = {
    "cloudstep": ("云步", "CloudStep"),
    "lightwind": ("轻风", "Lightwind"),
    "suroom": ("素衣坊", "Atelier Su"),
    "pulsar": ("脉星", "Pulsar"),
    "greenfield": ("禾田", "Greenfield"),
    "nightbus": ("夜班车", "Night Bus"),
    "moonalley": ("月巷", "Moon Alley"),
    "floret": ("花序", "Floret"),
    "dewlab": ("露研", "Dewlab"),
    "firstcotton": ("初棉", "First Cotton"),
    "littlebear": ("小熊家", "Little Bear"),
    "lightkitchen": ("轻厨", "Light Kitchen"),
    "papertree": ("纸树", "Papertree"),
    "lumen": ("光影", "Lumen"),
    "skyeye": ("天眼", "Skyeye"),
    "wildridge": ("山野", "Wildridge"),
    "soundsea": ("声海", "Soundsea"),
    "tidyhome": ("净居", "Tidyhome"),
    "slowcup": ("慢杯", "Slowcup"),
    "ricebowl": ("一碗饭", "Ricebowl"),
    "leafday": ("叶日", "Leafday"),
    "lanternhouse": ("灯火人家", "Lantern House"),
    "nightgrill": ("夜烤", "Nightgrill"),
    "citywater": ("城市水务", "City Water"),
    "oldharbour": ("旧港", "Old Harbour"),
    "quietstay": ("静宿", "Quietstay"),
}

_VARIANTS = {
    "colour": (("黑色", "black"), ("米白", "off-white"), ("雾蓝", "mist blue")),
    "size": (("标准款", "standard"), ("加大款", "large"), ("礼盒装", "gift box")),
    "": (("", ""),),
}

#: Who has bought from the first soon needs the second.
NEXT_NEED = {"cameras": "photo-extras"}
#: These arrive within the hour.
MEALS = frozenset(("lunch", "dinner", "snack"))
FOOD = MEALS | {"grocery"}

#: What content and posts are about, in Chinese; in English by the word itself.
_TOPICS_ZH = {
    "tech": "数码", "deals": "好价", "parenting": "育儿", "baby": "母婴", "outfit": "穿搭", "fashion": "时尚", "running": "跑步",
    "marathon": "马拉松", "review": "测评", "comparison": "对比", "sale": "促销", "price": "价格", "delivery": "物流",
    "service": "服务", "range": "品类",
}  # fmt: skip


def topic(name: str, language: str) -> str:
    return _TOPICS_ZH[name] if language == "zh" else name


#: Other shops that customers compare with, and leave for.
RIVALS = {"zh": ("快买商城", "好物集", "省省拼购"), "en": ("QuickMart", "Goodfinds", "Pennywise")}


def _variants(key: str, number: int, shelf: tuple[str, str, str, tuple]) -> list[Item]:
    """The skus of one product: one a variant."""
    category_zh, category_en, variants, products = shelf
    zh, en, brand, yuan = products[number]
    brand_zh, brand_en = _BRANDS[brand]
    return [
        Item(
            f"{key.upper()}-{number + 1:02d}{chr(65 + v)}",
            {"zh": f"{zh} {variant_zh}".strip(), "en": f"{en} {variant_en}".strip()},
            {"zh": category_zh, "en": category_en},
            {"zh": brand_zh, "en": brand_en},
            yuan * (100 + 8 * v),
            key,
        )
        for v, (variant_zh, variant_en) in enumerate(_VARIANTS[variants])
    ]


#: Items of each category, cheapest first.
SHELVES = {
    key: sorted(
        (item for n in range(len(shelf[3])) for item in _variants(key, n, shelf)), key=lambda item: (item.price_fen, item.sku)
    )
    for key, shelf in _SHELVES.items()
}
