"""What simulated customers write: templates in Chinese and English, put together from parts so that few texts repeat.

Slots: {item}, {brand}, {rival}, {days}, {extra}.
"""

from __future__ import annotations

from collections.abc import Sequence

from cli.population.agenda import Agenda

Parts = tuple[Sequence[str], ...]

COMPLAINTS: dict[str, dict[str, Parts]] = {
    "late-delivery": {
        "zh": (
            ("{item}说好三天到，", "下单{days}天了，", "快递信息{days}天没动，", "给孩子等着用的{item}，"),
            ("到现在还没收到。", "一直停在中转站。", "客服只会让我再等等。", "电话打了好几次都没人管。"),
            ("到底什么时候能送到？", "再不到我就退款了。", "太耽误事了。", "请给个准话。", ""),
        ),
        "en": (
            (
                "I ordered the {item} {days} days ago",
                "The {item} was promised in three days",
                "Tracking has not moved for {days} days",
            ),
            (" and it still has not arrived.", " and nobody can tell me where it is.", ", and support just says wait."),
            (" When will it come?", " I needed it last week.", " Please cancel it if you cannot deliver.", ""),
        ),
    },
    "late-meal": {
        "zh": (
            ("说好四十五分钟，", "骑手在门口转了半天，", "催了三次单，", "午休都快结束了，"),
            ("{item}送到已经凉透了。", "{item}晚了一个多小时。", "等了一个半小时才到。"),
            ("怎么吃？", "请退配送费。", "下次不敢点了。"),
        ),
        "en": (
            ("Promised in 45 minutes", "I chased the order three times", "The rider could not find the door"),
            (" and the {item} came cold.", ", the {item} was an hour late."),
            (" Please refund the delivery.", " Not again.", " My lunch break was over."),
        ),
    },
    "food": {
        "zh": (
            ("{item}不新鲜，", "{item}里吃出异物，", "{item}分量越来越少，", "包装漏了，"),
            ("根本不敢吃。", "汤洒了一半。", "跟图片差太多。", "孩子吃了不舒服。"),
            ("要求退款。", "请给个说法。", "对{brand}很失望。"),
        ),
        "en": (
            ("The {item} was not fresh.", "There was something odd in the {item}.", "The box leaked."),
            (" Half of it was spilled.", " I did not dare to eat it.", " The portion gets smaller each time."),
            (" Refund, please.", " I expect an answer.", ""),
        ),
    },
    "water": {
        "zh": (
            ("家里水压一直很低，", "这个月水费多了一倍，", "自来水发黄，", "停水没有提前通知，"),
            ("我年纪大，看不懂账单上的小字。", "打电话一直占线。", "邻居家也这样。", "师傅约了两次没来。"),
            ("能不能派人上门看看？", "请给我一份大字的说明。", "麻烦尽快处理。"),
        ),
        "en": (
            (
                "The water pressure is low.",
                "My bill has doubled this month.",
                "The water is brown.",
                "The water was cut without notice.",
            ),
            (
                " I cannot read the small print.",
                " The line is always busy.",
                " My neighbours have it too.",
                " The man came neither time.",
            ),
            (" Could somebody come and look?", " Please send it in large print.", ""),
        ),
    },
    "quality": {
        "zh": (
            ("{item}用了{days}天就坏了，", "收到的{item}有明显划痕，", "{brand}的做工太差，", "打开包装就闻到一股怪味，"),
            ("跟图片完全不一样。", "质量对不起这个价格。", "线头到处都是。", "根本没法用。"),
            ("要求退货退款。", "希望尽快换新。", "对{brand}很失望。", "这是第二次了！"),
        ),
        "en": (
            ("The {item} broke after {days} days.", "The {item} arrived scratched.", "Poor workmanship from {brand} this time."),
            (" It looks nothing like the pictures.", " Not worth the price.", " I simply cannot use it."),
            (" I want my money back.", " Please send a new one.", " This is the second time."),
        ),
    },
    "wrong-item": {
        "zh": (
            ("我买的是{item}，", "订单写的{item}，", "发货又发错了，"),
            ("寄来的完全是另一样东西。", "尺码不对。", "少了一件。", "颜色发错了。"),
            ("请核对后补发。", "换货运费谁出？", "太粗心了。"),
        ),
        "en": (
            ("I bought the {item}", "My order says {item}", "You packed it wrong again: I chose the {item}"),
            (" and got something else.", " but the size is wrong.", " and one piece is missing."),
            (" Please check and resend.", " Who pays for the return?", " Very careless."),
        ),
    },
    "price": {
        "zh": (
            ("刚买完{item}就降价，", "{rival}的{item}便宜一大截，", "优惠券到付款时用不了，"),
            ("差价能退吗？", "感觉被当冤大头。", "老客户反而更贵。", "会员价在哪里？"),
            ("不解决就不再买了。", "以后去{rival}。", ""),
        ),
        "en": (
            (
                "The {item} got cheaper the day after I bought it.",
                "{rival} sells the {item} for far less.",
                "My coupon did not work at checkout.",
            ),
            (" Can I have the difference back?", " Loyal customers seem to pay more here.", " That feels unfair."),
            (" Otherwise I will buy at {rival}.", " Please explain.", ""),
        ),
    },
    "service": {
        "zh": (
            ("客服态度很差，", "转了五个人工，", "机器人答非所问，", "我不会用手机办，打电话又一直占线，"),
            ("问题还是没解决。", "说了三遍同样的话。", "没有一个人负责。", "等了半个多小时。"),
            ("请找个能做主的人。", "能不能派人上门？", "太累了。", "我要投诉。"),
        ),
        "en": (
            (
                "Your agent was rude.",
                "I was passed to five different people.",
                "The bot does not understand a word.",
                "The line is always busy.",
            ),
            (" Nothing was solved.", " I had to repeat myself three times.", " I waited over half an hour."),
            (" Let me talk to somebody in charge.", " Could somebody come by?", " I give up."),
        ),
    },
}

UPDATES: dict[str, Parts] = {
    "zh": (
        ("已经过去{days}天了，", "又问了一次，", "还是没人联系我，"),
        ("没有任何进展。", "每次说法都不一样。", "我会向平台反映。", "请升级处理。"),
    ),
    "en": (
        ("{days} days have passed", "I asked again", "Still no call back"),
        (" and there is no progress.", ", a different story each time.", ". Please escalate."),
    ),
}

REVIEWS: dict[str, dict[str, Parts]] = {
    "good": {
        "zh": (
            ("{item}很好用，", "{brand}没让我失望，", "包装精致，", "比想象中还好，", "家里老人孩子都喜欢，"),
            ("物流也快。", "做工细致。", "性价比很高。", "颜色很正。", "会推荐给朋友。"),
            ("会回购。", "五星好评！", "", "下次还来。"),
        ),
        "en": (
            ("The {item} is great", "{brand} did it again", "Better than I expected", "Lovely packaging"),
            (" and it came quickly.", ", very well made.", ", and fair value for money."),
            (" Will buy again.", " Recommended.", ""),
        ),
    },
    "bad": {
        "zh": (
            ("{item}一般，", "和描述不符，", "用了两次就不想用了，", "有点失望，"),
            ("不值这个价。", "物流太慢。", "客服不理人。", "细节粗糙。"),
            ("不会再买。", "慎入。", ""),
        ),
        "en": (
            ("The {item} is a disappointment", "Not as described", "I stopped using it after two days"),
            (": poor value.", ", slow delivery.", ", and support never answered."),
            (" Would not buy again.", ""),
        ),
    },
}

POSTS: dict[str, dict[str, Parts]] = {
    "praise": {
        "zh": (
            (
                "今天入手了{brand}的{item}，",
                "分享一下{item}的使用感受：",
                "姐妹们，{item}真的可以冲！",
                "周末打卡，顺便安利{item}，",
            ),
            ("手感和颜值都在线。", "细节控狂喜。", "用了{days}天，很满意。", "性价比没话说。"),
            ("{extra}", ""),
            (" #好物分享", " #{brand}", " #今日穿搭", ""),
        ),
        "en": (
            ("Finally got the {item} from {brand}:", "My honest take on the {item}:", "Weekend find, the {item}:"),
            (" looks great and feels even better.", " {days} days in and very happy.", " worth every penny."),
            ("{extra}", ""),
            (" #{brand}", " #outfit", ""),
        ),
    },
    "rant": {
        "zh": (
            ("避雷！", "真的无语，", "求助，", "最后一次在这家买，"),
            ("{item}出了问题客服装死。", "快递{days}天不动。", "降价不退差价。", "售后踢皮球。"),
            (" #避雷 ", " 有同款遭遇的吗？", ""),
        ),
        "en": (
            ("Never again.", "Honestly speechless:", "Does anyone else have this?"),
            (
                " The {item} failed and support plays dead.",
                " {days} days and no parcel.",
                " Price dropped and no refund of the difference.",
            ),
            (" #fail", ""),
        ),
    },
    "rival": {
        "zh": (
            ("对比了一下{rival}，", "最近在{rival}买{item}，", "有人用过{rival}吗？", "被种草{rival}了，"),
            ("价格香很多。", "送货快一天。", "客服秒回。", "品类也更全。"),
            ("准备换过去。", "你们怎么选？", ""),
        ),
        "en": (
            ("Compared this with {rival}:", "Lately I get my {item} at {rival}:", "Anyone tried {rival}?"),
            (" much cheaper.", " a day faster.", " answers at once."),
            (" Thinking of switching.", " What would you pick?", ""),
        ),
    },
}

#: What only some would say of their purchase: slot {extra}.
EXTRAS: dict[str, dict[str, str]] = {
    "opinion-leader-mother": {
        "zh": "宝宝也特别喜欢，群里的妈妈们都在问链接。",
        "en": " My little one loves it, and the whole parenting group asks for the link.",
    },
    "record-runner": {"zh": "PB 又快了半分钟！", "en": " Half a minute off my best!"},
    "looks-runner": {"zh": "拍照出片率超高。", "en": " And it looks so good in pictures."},
    "young-fashion": {"zh": "搭去年的小裙子刚刚好。", "en": " Goes so well with last year's skirt."},
    "researcher": {"zh": "参数对比了两周，没选错。", "en": " Two weeks of comparing specs were worth it."},
}

SEARCHES: dict[str, dict[str, Sequence[str]]] = {
    "plain": {
        "zh": ("{item}", "{brand}", "{brand} {item}", "{item} 推荐"),
        "en": ("{item}", "{brand}", "{brand} {item}", "best {item}"),
    },
    "specs": {
        "zh": ("{item} 参数 对比", "{item} 测评", "{item} 和同类区别", "{item} 续航 重量"),
        "en": ("{item} specs compared", "{item} review", "{item} weight battery", "{item} versus others"),
    },
    "deal": {
        "zh": ("{item} 优惠券", "{item} 平替", "便宜 {item}", "{item} 满减"),
        "en": ("{item} coupon", "cheap {item}", "{item} sale", "{item} alternative"),
    },
    "unmet": {
        "zh": ("左撇子 {item}", "大字版 {item}", "{item} 以旧换新", "{item} 上门安装", "二手 {item}"),
        "en": ("left-handed {item}", "large print {item}", "{item} trade-in", "refurbished {item}"),
    },
}

CONVERSATIONS: dict[str, Sequence[str]] = {
    "zh": (
        "咨询{item}的尺码和发货时间",
        "询问退换货流程",
        "询问发票",
        "问会员积分怎么用",
        "老人来电，请人工一步步说明",
        "催单：{item}",
    ),
    "en": (
        "Asked about size and shipping of the {item}",
        "Asked how to return",
        "Asked for an invoice",
        "Loyalty points",
        "Chasing the {item}",
    ),
}

REASONS: dict[str, dict[str, Sequence[str]]] = {
    "cancel": {
        "zh": ("不想要了", "买错了", "别处更便宜", "送达时间太长"),
        "en": ("changed my mind", "ordered by mistake", "cheaper elsewhere", "takes too long"),
    },
    "refund": {
        "zh": ("质量问题", "与描述不符", "尺寸不合适", "迟到"),
        "en": ("faulty", "not as described", "does not fit", "came too late"),
    },
    "refuse": {"zh": ("退订", "短信太多", "拉黑", "挂断"), "en": ("unsubscribed", "too many messages", "blocked", "hung up")},
}


def write(agenda: Agenda, parts: Parts, **slots: object) -> str:
    """One text: a part of each group, with its slots filled."""
    return "".join(agenda.pick(group) for group in parts).format_map(slots)


def line(agenda: Agenda, options: Sequence[str], **slots: object) -> str:
    return agenda.pick(options).format_map(slots)
