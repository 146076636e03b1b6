"""What derived dimensions say, in words for people: members and fixed values in English and Chinese.

What publishers name (categories, brands, places) stays as it is. A test holds that each member, and each fixed value that
somebody shows in a simulated year, has its words here.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Member of a contract -> (English, Chinese). "": it is clear without a word before it.
MEMBERS: Mapping[str, tuple[str, str]] = {
    # person
    "age": ("aged", "年龄"),
    "gender": ("", ""),
    "region": ("in", "地区"),
    "occupation": ("works as", "职业"),
    "income": ("income", "收入"),
    "education": ("education", "学历"),
    "family": ("family", "家庭"),
    "life_stage": ("stage of life", "人生阶段"),
    "told_by": ("told by", "来源"),
    # attributes that are told as they are
    "birthday": ("born", "出生"),
    "city": ("city", "城市"),
    "province": ("province", "省份"),
    "children": ("children", "子女"),
    "marriage": ("marriage", "婚姻"),
    "phone": ("phone", "电话"),
    "email": ("mail", "邮箱"),
    "language": ("speaks", "语言"),
    "member_level": ("level", "会员等级"),
    # decisions, habits, motivation
    "kind": ("", ""),
    "looks_per_order": ("looks an order", "每单浏览"),
    "carts": ("days with a cart (90 days)", "加购天数（90 天）"),
    "abandoned": ("carts left behind", "弃购率"),
    "enters_by": ("comes by", "入口"),
    "seconds_a_look": ("seconds a look", "每次停留（秒）"),
    "cycle_days": ("buys every (days)", "购买周期（天）"),
    "returned": ("sent back", "退货率"),
    "cancelled": ("cancelled", "取消率"),
    "instalments": ("by instalments", "分期率"),
    "promotions": ("sensitive to promotions", "促销敏感"),
    "driven_by": ("driven by", "驱动"),
    "pays_by": ("pays by", "支付"),
    "brand": ("keeps to", "忠于品牌"),
    "category": ("buys most", "常购"),
    "motives": ("for", "动机"),
    "risk": ("", "风险偏好"),
    # channels, media, situation, technology
    "prefers": ("prefers", "偏好"),
    "answers_on": ("answers on", "会回应"),
    "avoid": ("avoid", "勿用"),
    "offline": ("shops", "线上线下"),
    "social": ("speaks on", "发声平台"),
    "messages": ("messages", "消息"),
    "daypart": ("active in the", "活跃时段"),
    "best_hour": ("best at (hour)", "最佳时刻（时）"),
    "format": ("likes", "内容形式"),
    "topic": ("on", "内容主题"),
    "week": ("in the week", "星期"),
    "place": ("at", "地点"),
    "weather": ("weather", "天气"),
    "occasions": ("occasions", "场合"),
    "adoption": ("", ""),
    "service": ("prefers", "服务方式"),
    "device": ("on", "设备"),
    # outlook, provenance, influence
    "rising": ("rising", "上升"),
    "falling": ("falling", "下降"),
    "activity": ("activity", "活跃度"),
    "changes": ("change of life", "生活变化"),
    "sources": ("sources", "来源"),
    "fresh": ("latest", "最近更新"),
    "mostly": ("mostly", "主要来源"),
    "reliable": ("reliable", "可靠度"),
    "audience": ("audience", "粉丝量级"),
    "reach": ("heard", "触达人次"),
    "sharing": ("shares by", "分享方式"),
    "domains": ("heard on", "影响领域"),
    "circles": ("follows", "圈层"),
    # voice
    "tone": ("tone", "均值"),
    "pleased": ("pleased texts", "满意文本"),
    "displeased": ("displeased texts", "不满文本"),
    # experience, use
    "awareness": ("met us by", "认知"),
    "consideration": ("considered by", "考虑"),
    "purchase": ("bought by", "购买"),
    "advocacy": ("spoke by", "倡导"),
    "breaks": ("breaks", "断点"),
    "trouble": ("to excuse", "待致歉"),
    "messages_each": ("messages a conversation", "每次会话消息"),
    "first_reply_min": ("minutes to the first reply", "首次响应（分钟）"),
    "recommends": ("is a", "推荐意愿"),
    "sounds": ("sounds", "语气"),
    "do": ("", ""),
    "channel": ("by", "渠道"),
    "refused": ("refused", "未授权"),
    # brand, competitors
    "level": ("", ""),
    "why": ("", ""),
    "reputation": ("thinks of us", "口碑"),
    "loyalty": ("loyalty", "忠诚"),
    "belonging": ("belonging", "归属感"),
    "rivals": ("named", "提及"),
    "compared_for": ("compared for", "比较点"),
}

#: Fixed values -> Chinese. In English underscores become blanks.
VALUES_ZH: Mapping[str, str] = {
    "female": "女", "male": "男", "other": "其他",
    "low": "低", "middle": "中", "medium": "中", "high": "高", "some": "有一些",
    "school": "中学", "college": "大专", "bachelor": "本科", "master": "硕士", "doctor": "博士",
    "children": "有孩", "couple": "伴侣", "single": "单身",
    "student": "学生", "first_job": "初入职场", "newly_married": "新婚", "parent": "父母", "retired": "退休",
    "researcher": "研究型", "impulsive": "冲动型", "bargain_hunter": "比价型",
    "price": "价格", "value": "价值",
    "quality": "品质", "efficiency": "效率", "identity": "情感认同", "status": "身份", "sustainability": "可持续",
    "health": "健康", "novelty": "新奇",
    "open": "愿冒险", "careful": "谨慎",
    "online": "线上", "both": "兼有",
    "night": "深夜", "morning": "上午", "midday": "中午", "afternoon": "下午", "evening": "晚上",
    "text": "图文", "picture": "图片", "audio": "音频", "video": "视频", "live": "直播",
    "workday": "工作日", "weekend": "周末", "any": "不分",
    "innovator": "创新者", "early_adopter": "早期采用者", "early_majority": "早期大众", "late_majority": "晚期大众",
    "laggard": "落后者",
    "self_service": "自助", "human": "人工",
    "rising": "上升", "falling": "下降", "steady": "平稳",
    "baby": "添丁", "home": "居家", "wedding": "结婚", "pet": "养宠", "study": "求学", "car": "购车",
    "first": "第一方", "second": "第二方", "third": "第三方",
    "month": "一个月内", "quarter": "三个月内", "older": "更早",
    "opinion_leader": "意见领袖", "connector": "连接者", "voice": "发声者", "listener": "倾听者",
    "personal": "个人", "nano": "千粉", "micro": "万粉", "macro": "十万粉", "mega": "百万粉",
    "writes": "原创", "passes_on": "转发",
    "open_complaint": "未结投诉", "late_delivery": "迟到", "unmet_search": "未搜到", "abandoned_cart": "弃购",
    "unsolved": "未解决", "refusal": "拒收",
    "severe_complaint": "严重投诉", "urgent_complaint": "紧急投诉", "complains_again": "反复投诉", "unhappy": "不满",
    "warmer": "转暖", "cooler": "转冷",
    "promoter": "推荐者", "passive": "中立者", "detractor": "贬损者",
    "content": "内容", "referral": "引荐", "follow": "关注", "item": "商品", "search": "搜索", "cart": "购物车", "app": "应用",
    "order": "下单", "delivery": "送货", "complaint": "投诉", "rating": "评分", "survey": "问卷", "mention": "提及",
    "unaware": "不了解", "aware": "知晓", "considering": "考虑中", "buyer": "购买者", "loyal": "忠诚", "advocate": "拥护者",
    "pleased": "满意", "displeased": "不满", "even": "平和",
    "good": "好", "mixed": "一般", "poor": "差",
    "firm": "稳固", "wavering": "动摇", "lost": "已失",
    "won": "我们赢得", "offline": "线下", "week": "一周内",
    "awareness": "认知", "consideration": "考虑", "purchase": "购买", "retention": "留存", "advocacy": "倡导",
    "wechat": "微信", "weibo": "微博", "xiaohongshu": "小红书", "douyin": "抖音", "bilibili": "哔哩哔哩", "sms": "短信",
    "email": "邮件", "push": "推送", "phone": "电话", "store": "门店", "web": "网页", "miniprogram": "小程序",
    "tablet": "平板", "desktop": "电脑", "office": "办公室", "transit": "途中", "campus": "校园", "cafe": "咖啡馆",
    "singles-day": "双十一", "double-12": "双十二", "spring-festival": "春节", "gift": "送礼", "birthday": "生日",
    "anniversary": "纪念日", "work-lunch": "工作午餐", "family-dinner": "家庭晚餐", "late-night": "深夜",
    "late-delivery": "配送延迟", "wrong-item": "发错货", "bronze": "铜卡", "silver": "银卡", "gold": "金卡", "platinum": "白金",
    "/": "首页",
    "function": "功能", "mismatch": "货不对板", "environment": "环境", "packaging": "包装", "size": "尺码", "colour": "颜色",
    "battery": "电池", "software": "软件", "hardware": "硬件", "choice": "选择", "information": "说明", "room": "房间",
    "rain": "雨", "heat": "炎热", "cold": "寒冷", "snow": "雪", "clear": "晴", "wind": "风",
    "service": "服务", "marketing": "营销", "profiling": "画像",
    "wechatpay": "微信支付", "alipay": "支付宝", "unionpay": "银联", "card": "银行卡",
}  # fmt: skip
#: Under these members a word means something else.
_AS_MEMBER_ZH: Mapping[tuple[str, str], str] = {
    ("outcome", "open"): "未定",
    ("place", "home"): "家里",
    ("device", "phone"): "手机",
    ("devices", "phone"): "手机",
    ("loyalty", "lost"): "已流失",
    ("topic", "video"): "视频",
    ("fresh", "older"): "三个月以前",
    ("language", "zh"): "中文",
    ("language", "en"): "英语",
}
_AS_MEMBER_EN: Mapping[tuple[str, str], str] = {
    **{("fresh", span): f"within a {span}" for span in ("week", "month", "quarter")},
    ("fresh", "older"): "over a quarter ago",
    **{("mostly", party): f"{party} party" for party in ("first", "second", "third")},
    ("language", "zh"): "Chinese",
    ("language", "en"): "English",
    ("risk", "open"): "takes risks",
    ("risk", "careful"): "avoids risks",
    ("service", "both"): "self service and human",
    ("week", "any"): "any day",
}


def member(name: str, lang: str) -> str:
    """The word before a member's value; one that has none here, as it is called."""
    en, zh = MEMBERS.get(name, (name.replace("_", " "), name.replace("_", " ")))
    return zh if lang == "zh" else en


def value(member_name: str, text: str, lang: str) -> str:
    """A value in words."""
    if lang == "zh":
        return _AS_MEMBER_ZH.get((member_name, text)) or VALUES_ZH.get(text, text)
    return _AS_MEMBER_EN.get((member_name, text)) or (text.replace("_", " ") if text in VALUES_ZH else text)
