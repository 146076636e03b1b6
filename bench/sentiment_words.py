"""Words that reviews of shops hardly hold and customers use all the same: slang, emoji, and how strong each is (-3 to 3).

Written down by hand from common knowledge. `bench.sentiment_train` gives them their weights where the reviews don't.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Words in Latin letters or digits inside Chinese texts.
CHINESE_LATIN = {
    3: "yyds awsl",
    2: "nb tql xswl nice good perfect love happy",
    1: "ok get",
    -1: "emo bug",
    -2: "bad low pua cpu zz diss sb rnm tmd md",
    -3: "rubbish garbage shit fuck",
}
CHINESE = {
    3: "绝绝子 爱了 神器 宝藏 天花板 王炸 超赞 封神",
    2: "给力 种草 真香 可冲 可以冲 狂喜 安利 良心 无限回 回购 入股不亏 冲鸭 好评 靠谱 66 赞 上头 满分 在线 没毛病 无可挑剔 没让",
    1: "划算 还行 颜值 不贵 不差 不脏 不吵 不后悔",
    -1: "拔草 翻车 失望 一般 还没 催单 拖延 太慢 破损 漏了",
    -2: "踩雷 避雷 踩坑 拉胯 坑爹 坑人 无语 辣鸡 智商税 割韭菜 慎入 装死 踢皮球 投诉 举报 维权 下头 破防 敷衍 推诿 甩锅",
    -3: "垃圾 骗子 黑店 奸商 气死 恶心 假货 差评",
}
EMOJI = {
    3: "😍🥰🤩",
    2: "😀😃😄😁😆😊🙂☺😘😻👍👏🙌💯❤💕💖🎉✨🔥🌟⭐💪🤗😋🥳🌹",
    1: "😌😉🙏👌💐😎",
    -1: "😕🙁😐😑😒🙄😓😥💔😞😔😟😅",
    -2: "👎😠😤😢😭😖😣😩😫😰😨🥲☹😾",
    -3: "😡🤬🤮🤢💩🖕",
}
ENGLISH = {
    2: "goat dope slay fire lit legit epic banger",
    1: "lowkey solid neat",
    -1: "meh mid cringe sus salty waiting unanswered cancel nobody scratched leaked late delayed",
    -2: "wtf smh scam ripoff lemon crappy janky sketchy bricked dud refund rude unhelpful overpriced careless unfair",
}

#: What customers write without being pleased or displeased.
_NEUTRAL = """
咨询尺码和发货时间
询问退换货流程
请问这个有货吗
什么时候发货
请问怎么开发票
询问发票
问会员积分怎么用
想改一下收货地址
帮我查一下订单到哪里了
请问可以换个颜色吗
这个和那个有什么区别
已经下单了
今天收到了
昨天买的
我买了一台电脑和一个鼠标
在网上订了一个房间
周末去了一趟超市
老人来电，请人工一步步说明
电话号码改了，请更新
请问你们几点开门
门店在哪里
可以货到付款吗
支持七天无理由退货吗
快递到了
包裹放在门卫了
明天上午来取
这款有蓝色的吗
请问这款手机支持双卡吗
这本书有几册
房间有两张床
早餐是七点到九点
我要寄到上海
麻烦发一下说明书
预约安装时间
办理入住需要身份证吗
第一次买
朋友介绍来的
给妈妈买的
公司统一采购
刚下单，还没用
"""
NEUTRAL = _NEUTRAL.split()


def strengths(*tables: dict[int, str], characters: bool = False) -> Iterator[tuple[str, int]]:
    """(word, strength) of the tables; ``characters``: each character is a word."""
    for table in tables:
        for strength, listed in table.items():
            yield from ((word, strength) for word in (listed if characters else listed.split()))
