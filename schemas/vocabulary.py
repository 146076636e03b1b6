"""Names that mean the same: channels, devices, regions, purposes, in Chinese and English; and words that say nothing.

Data alone; `schemas.cleaning` applies it. A table may grow: what was folded before is then folded anew by `portrait rebuild`.
"""

from __future__ import annotations

#: What systems write where they know nothing: as a value it is absent.
_NOTHING_EN = ("unknown", "n/a", "nan", "null", "nil", "undefined", "(null)", "(not set)", "-", "--", "—", "?")
NOTHING_SAID = frozenset((*_NOTHING_EN, "未知", "不详", "未填写", "暂无"))


def table(rows: dict[str, str]) -> dict[str, str]:
    """Each word of the rows, divided by commas, and the name that it stands for; a name stands for itself."""
    found = {name: name for name in rows}
    for name, words in rows.items():
        found.update({word.strip(): name for word in words.split(",") if word.strip()})
    return found


def _rows(text: str) -> dict[str, str]:
    """``name=word,word`` divided by blanks, as `table` takes them."""
    return dict(row.split("=") for row in text.split())


#: Channels and platforms. Compared without case, blanks, hyphens and underscores.
ROUTES = table(
    {
        "app": "application,mobileapp,客户端,手机客户端,移动端",
        "web": "website,site,browser,网页,网站,官网,pc端,网页端,網頁,網站,官網",
        "h5": "",
        "miniprogram": "miniapp,wechatminiprogram,小程序,微信小程序,小程式,微信小程式",
        "wechat": "weixin,wechatofficialaccount,微信,公众号,微信公众号,企业微信,公眾號,微信公眾號,企業微信",
        "weibo": "sinaweibo,微博,新浪微博",
        "xiaohongshu": "red,rednote,xhs,littleredbook,小红书,小紅書",
        "douyin": "抖音",
        "kuaishou": "快手",
        "bilibili": "b站,哔哩哔哩,嗶哩嗶哩",
        "zhihu": "知乎",
        "tmall": "天猫,天貓",
        "taobao": "淘宝,淘寶",
        "jd": "jingdong,jd.com,京东,京東",
        "pinduoduo": "pdd,拼多多",
        "x": "twitter,x.com",
        "instagram": "ins,ig",
        "facebook": "fb",
        "youtube": "",
        "tiktok": "",
        "email": "mail,edm,邮件,电子邮件,邮箱,郵件,電子郵件,郵箱,信箱",
        "sms": "textmessage,mms,短信,簡訊,短訊",
        "push": "pushnotification,apppush,推送,消息推送,推播,訊息推送",
        "phone": "call,hotline,tel,telephone,电话,热线,客服电话,来电,電話,熱線,客服電話,來電",
        "store": "shop,retail,offlinestore,门店,线下门店,实体店,店铺,线下,門市,門店,實體店,店鋪",
    }
)

DEVICES = table(
    {
        "phone": "mobile,mobilephone,smartphone,cellphone,iphone,androidphone,手机,移动设备,手機,行動裝置",
        "tablet": "pad,ipad,平板,平板电脑,平板電腦",
        "desktop": "pc,computer,desktoppc,电脑,台式机,台式电脑,電腦,桌機",
        "laptop": "notebook,macbook,笔记本,笔记本电脑,筆電",
        "tv": "smarttv,television,电视,智能电视,電視",
        "watch": "smartwatch,手表,智能手表,手錶",
    }
)

#: Purposes of consent.
PURPOSES = table(
    {
        "service": "客服,服务,customerservice,服務",
        "marketing": "营销,市场营销,推广,promotion,行銷,營銷,推廣",
        "profiling": "画像,用户画像,personalisation,personalization,个性化,畫像",
    }
)

#: Ways to pay.
PAYMENTS = table(
    {
        "wechatpay": "微信支付,weixinpay,wxpay,tenpay",
        "alipay": "支付宝,支付寶",
        "unionpay": "银联,云闪付,銀聯",
        "card": "creditcard,debitcard,bankcard,信用卡,借记卡,银行卡",
        "cash": "现金,現金",
        "cod": "cashondelivery,货到付款,貨到付款",
        "applepay": "",
        "paypal": "",
    }
)

#: The provinces, municipalities and regions of China (GB/T 2260) by short name, with their names in Latin letters.
PROVINCES = _rows(
    """
    北京=beijing,peking 天津=tianjin 上海=shanghai 重庆=chongqing 河北=hebei 山西=shanxi 内蒙古=innermongolia,neimenggu
    辽宁=liaoning 吉林=jilin 黑龙江=heilongjiang 江苏=jiangsu 浙江=zhejiang 安徽=anhui 福建=fujian 江西=jiangxi
    山东=shandong 河南=henan 湖北=hubei 湖南=hunan 广东=guangdong,canton 广西=guangxi 海南=hainan 四川=sichuan,szechuan
    贵州=guizhou 云南=yunnan 西藏=tibet,xizang 陕西=shaanxi 甘肃=gansu 青海=qinghai 宁夏=ningxia 新疆=xinjiang
    台湾=taiwan 香港=hongkong,hk 澳门=macau,macao
    """
)
#: Ends of long forms, the longest first.
PROVINCE_ENDS = ("维吾尔自治区", "壮族自治区", "回族自治区", "特别行政区", "自治区", "省", "市")
#: Large cities, and those whose names in Latin letters shops meet.
CITIES = _rows(
    """
    深圳=shenzhen 广州=guangzhou 杭州=hangzhou 成都=chengdu 武汉=wuhan 西安=xian 南京=nanjing 苏州=suzhou 长沙=changsha
    青岛=qingdao 昆明=kunming 洛阳=luoyang 郑州=zhengzhou 沈阳=shenyang 大连=dalian 厦门=xiamen 福州=fuzhou 宁波=ningbo
    无锡=wuxi 合肥=hefei 济南=jinan 哈尔滨=harbin,haerbin 长春=changchun 石家庄=shijiazhuang 太原=taiyuan 南昌=nanchang
    南宁=nanning 贵阳=guiyang 兰州=lanzhou 海口=haikou 三亚=sanya 东莞=dongguan 佛山=foshan 珠海=zhuhai 温州=wenzhou
    常州=changzhou 烟台=yantai 乌鲁木齐=urumqi,wulumuqi 呼和浩特=hohhot,huhehaote 银川=yinchuan 西宁=xining
    拉萨=lhasa,lasa
    """
)
#: Countries that shops abbreviate; of others the name itself.
COUNTRIES = {"UK": "uk,unitedkingdom,greatbritain,英国", "US": "us,usa,unitedstates,america,美国", "中国": "china,cn,prc"}
PLACES = table({**PROVINCES, **CITIES, **COUNTRIES})
