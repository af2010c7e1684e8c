"""The venue's messages as they are on the wire, checked here and nowhere else.

Socket frames come many thousand a second, so they are typed dictionaries validated straight from the bytes, numbers
still text. REST replies come seldom, so they are models whose numbers are already scaled integers. Where the wire and
the venue's documentation differ, both shapes are read. Fields we do not use are ignored.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from engine.core import money
from engine.core.calendar import CONTINUOUS
from engine.core.clean import clean
from engine.venues.errors import UnknownOutcome

EARLIEST_NS: Final = 1_704_067_200_000_000_000  # 2024-01-01T00:00:00Z: an older stamp on a live feed is damage
AHEAD_NS_MAX: Final = 60_000_000_000
MS: Final = 1_000_000
_CONTEXT: Final = Context(prec=100, rounding=ROUND_HALF_UP, traps=[InvalidOperation])  # whatever the thread's own is
_EIGHTH: Final = Decimal("1e-8")
FEE_RATE_MAX: Final = 1_000_000  # 1 %: more is damage, or a percentage where a fraction should be

# Prices and sizes repeat from frame to frame; remembering the last few thousand texts halves the cost of a frame.
scaled: Final = lru_cache(maxsize=8192)(money.parse)


# --- public socket ---

DepthChannel = Literal["depth_book1", "depth_book5", "depth_book15"]
KlineChannel = Literal[
    "market_kline_1min",
    "market_kline_3min",
    "market_kline_5min",
    "market_kline_15min",
    "market_kline_30min",
    "market_kline_60min",
    "market_kline_2h",
    "market_kline_4h",
    "market_kline_6h",
    "market_kline_8h",
    "market_kline_12h",
    "market_kline_1day",
    "market_kline_3day",
    "market_kline_1week",
    "market_kline_1month",
    "mark_kline_1min",
]
Level = tuple[str, str]  # price, size


class DepthData(TypedDict):
    b: list[Level]
    a: list[Level]


class DepthFrame(TypedDict):
    ch: DepthChannel
    symbol: str
    ts: int
    data: DepthData


class KlineData(TypedDict):
    o: str
    h: str
    l: str  # noqa: E741 - the venue's name
    c: str
    b: str  # volume in coins
    q: str  # turnover


class KlineFrame(TypedDict):
    ch: KlineChannel
    symbol: str
    ts: int
    data: KlineData


class TradeRow(TypedDict):
    t: str  # ISO time
    p: str
    v: str
    s: str  # buy | sell, in any case: the aggressor


class TradeFrame(TypedDict):
    ch: Literal["trade"]
    symbol: str
    ts: int
    data: list[TradeRow]


class PriceData(TypedDict):
    mp: str
    ip: str
    fr: str  # the last settled funding rate, in percent
    ft: str
    nft: str  # when the next one settles, ISO


class PriceFrame(TypedDict):
    ch: Literal["price"]
    symbol: str
    ts: int
    data: PriceData


class TickerData(TypedDict):
    la: str


class TickerFrame(TypedDict):
    ch: Literal["ticker"]
    symbol: str
    ts: int
    data: TickerData


class TickersRow(TypedDict):
    s: str
    bd: str
    ak: str
    bv: str
    av: str


class TickersFrame(TypedDict):
    ch: Literal["tickers"]
    ts: int
    data: list[TickersRow]


MarketFrame = DepthFrame | KlineFrame | TradeFrame | PriceFrame | TickerFrame | TickersFrame
MARKET_FRAME: Final[TypeAdapter[MarketFrame]] = TypeAdapter(Annotated[MarketFrame, Field(discriminator="ch")])


class ControlFrame(BaseModel):
    """Anything that carries `op`: connect, ping and its answer, refusals, login."""

    op: str
    data: Any = None
    msg: str = ""
    code: int | str | None = None
    pong: int | None = None

    @property
    def is_refusal(self) -> bool:
        """The venue says no: too many streams, a login that failed."""
        if isinstance(self.data, dict) and self.data.get("result") is False:
            return True
        return self.op == "error" or str(self.code or 0) != "0"

    @property
    def text(self) -> str:
        said = self.data.get("msg", "") if isinstance(self.data, dict) else ""
        return clean(f"{self.op}: {said or self.msg or 'refused'}")


# --- REST ---


def _exact(raw: object) -> object:
    """A JSON number or its text as a scaled integer; more than eight places are an error."""
    return money.parse(_plain(raw))


def _rounded(raw: object) -> object:
    """As `_exact`, but rounded to eight places: for volumes and fees, which the venue gives at any length."""
    try:
        return money.parse(f"{_CONTEXT.create_decimal(_plain(raw)).quantize(_EIGHTH, ROUND_HALF_UP, _CONTEXT):f}")
    except InvalidOperation as problem:
        raise money.NotExact(raw) from problem


def _plain(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise money.NotExact(raw)
    return raw if isinstance(raw, str) else f"{_CONTEXT.create_decimal(str(raw)):f}"


def _upper(raw: object) -> object:
    return raw.upper() if isinstance(raw, str) else raw


Exact = Annotated[int, BeforeValidator(_exact)]
Rounded = Annotated[int, BeforeValidator(_rounded)]
FeeRate = Annotated[int, BeforeValidator(_rounded), Field(ge=-FEE_RATE_MAX, le=FEE_RATE_MAX)]
Word = Annotated[str, BeforeValidator(_upper)]
ClientId = Annotated[str, BeforeValidator(lambda raw: raw or "")]  # null where the order was not placed by API


class Row(BaseModel):
    """Base of REST rows; ids may come as numbers."""

    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class Reply(Row):
    """The envelope of every REST reply; `code` 0 is yes."""

    code: int
    data: Any = None
    msg: str | None = None


class PairRow(Row):
    symbol: str
    min_qty: Exact = Field(alias="minTradeVolume")
    max_limit_qty: Exact = Field(alias="maxLimitOrderVolume")
    max_market_qty: Exact = Field(alias="maxMarketOrderVolume")
    qty_places: int = Field(alias="basePrecision", ge=0, le=8)
    price_places: int = Field(alias="quotePrecision", ge=0, le=8)
    status: Word = Field(alias="symbolStatus", default="OPEN")
    is_api_supported: bool = Field(alias="isApiSupported", default=True)
    maker_fee: FeeRate | None = Field(alias="makerFeeRate", default=None)
    taker_fee: FeeRate | None = Field(alias="takerFeeRate", default=None)
    calendar: str = CONTINUOUS  # said by the built-in venue alone, of shares it plays


class KlineRow(Row):
    open: Exact
    high: Exact
    low: Exact
    close: Exact
    time: int  # bar start, ms
    base_vol: Rounded = Field(alias="baseVol", default=0)
    quote_vol: Rounded = Field(alias="quoteVol", default=0)


class PlacedRow(Row):
    order_id: str = Field(alias="orderId")
    client_id: ClientId = Field(alias="clientId", default="")


class CancelFailure(Row):
    order_id: ClientId = Field(alias="orderId", default="")
    client_id: ClientId = Field(alias="clientId", default="")
    code: int = Field(alias="errorCode", default=1)
    text: ClientId = Field(alias="errorMsg", default="")


class CancelReply(Row):
    done: list[PlacedRow] = Field(alias="successList", default_factory=list)
    failed: list[CancelFailure] = Field(alias="failureList", default_factory=list)


class OrderRow(Row):
    """One order, from its detail, a list, or (with other names for two fields) a push."""

    order_id: str = Field(alias="orderId")
    client_id: ClientId = Field(alias="clientId", default="")
    symbol: str
    side: Word
    qty: Exact  # never negative
    filled_qty: Exact = Field(alias="tradeQty", default=0)
    status: Word
    effect: Annotated[Word, BeforeValidator(lambda raw: raw or "")] = ""
    reduce_only: bool | None = Field(alias="reduceOnly", default=None)


class OrderList(Row):
    orders: list[OrderRow] = Field(alias="orderList", default_factory=list)
    total: int = 0


class FillRow(Row):
    trade_id: str = Field(alias="tradeId")
    order_id: str = Field(alias="orderId")
    symbol: str
    side: Word
    qty: Exact
    price: Exact
    fee: Rounded
    role: Annotated[Word, BeforeValidator(lambda raw: raw or "TAKER")] = Field(alias="roleType", default="TAKER")
    time: int = Field(alias="ctime")


class FillList(Row):
    fills: list[FillRow] = Field(alias="tradeList", default_factory=list)
    total: int = 0


class AccountRow(Row):
    margin_coin: str = Field(alias="marginCoin", default="USDT")
    available: Rounded
    frozen: Rounded = 0
    margin: Rounded = 0
    position_mode: Word = Field(alias="positionMode", default="ONE_WAY")
    cross_unrealized: Rounded = Field(alias="crossUnrealizedPNL", default=0)
    isolated_unrealized: Rounded = Field(alias="isolationUnrealizedPNL", default=0)


class PositionRow(Row):
    position_id: str = Field(alias="positionId")
    symbol: str
    qty: Exact  # never negative
    side: Word  # BUY or LONG, SELL or SHORT
    entry_price: Rounded = Field(alias="avgOpenPrice", default=0)

    @property
    def signed_qty(self) -> int:
        return self.qty if self.side in ("BUY", "LONG") else -self.qty


class OrderPush(Row):
    """A hint on the private socket that an order changed; it names the order and nothing else is taken from it."""

    order_id: str = Field(alias="orderId")
    client_id: ClientId = Field(alias="clientId", default="")


class PushFrame(Row):
    ch: str
    data: Any = None


REPLY: Final = TypeAdapter(Reply)
PAIRS: Final = TypeAdapter(list[PairRow])
KLINES: Final = TypeAdapter(list[Any])
KLINE_ROW: Final = TypeAdapter(KlineRow)
PLACED: Final = TypeAdapter(PlacedRow)
CANCELED: Final = TypeAdapter(CancelReply)
ORDER: Final = TypeAdapter(OrderRow)
ORDERS: Final = TypeAdapter(OrderList)
FILLS: Final = TypeAdapter(FillList)
ACCOUNT: Final = TypeAdapter(AccountRow)
POSITIONS: Final = TypeAdapter(list[PositionRow])
CONTROL: Final = TypeAdapter(ControlFrame)
PUSH: Final = TypeAdapter(PushFrame)
ORDER_PUSH: Final = TypeAdapter(list[OrderPush])

T = TypeVar("T")


def read(adapter: TypeAdapter[T], data: object, what: str) -> T:
    """`data` of a REST reply as `adapter` has it. Raises `UnknownOutcome` when the venue sent something else."""
    try:
        return adapter.validate_python(data)
    except ValidationError as problem:
        raise UnknownOutcome(f"unreadable {what}: {first_problem(problem)}") from problem


def first_problem(problem: ValidationError) -> str:
    """The first thing wrong, with its place, in one short safe line."""
    error = problem.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return clean(f"{place}: {error['msg']}" if place else error["msg"], 120)


def one(data: object) -> object:
    """The account comes as an object on the wire, as a list in the documentation."""
    return data[0] if isinstance(data, list) and data else data


def many(data: object) -> object:
    """Pushes come as one object on the wire, as a list in the documentation."""
    return data if isinstance(data, list) else [data]
