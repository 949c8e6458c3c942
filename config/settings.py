"""Every setting as a frozen typed struct: what TOML says, in the unit the name ends with.

Percent, bps and multiples are floats, as a person writes them. Who needs integers (ticks, lots, money at 1e-8)
converts where the value is used, in one place. The reason for each default stands in ``default.toml``; the limits a
value must keep stand here, beside its type.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

APPLICATION = "scalper"
"""The program's name: prefix of metrics and, in capitals, of environment variables."""

Positive = Annotated[float, Meta(gt=0, le=1_000_000_000)]  # the kernels compare in int64: a billion fits everywhere
NotNegative = Annotated[float, Meta(ge=0, le=1_000_000_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]
PositivePercent = Annotated[float, Meta(gt=0, le=100)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
CountOrNone = Annotated[int, Meta(ge=0, le=1_000_000)]
Milliseconds = Annotated[int, Meta(ge=0, le=3_600_000)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Symbol = Annotated[str, Meta(pattern=r"^\w{2,40}$")]
Symbols = Annotated[
    tuple[Symbol, ...],
    Meta(min_length=1, max_length=50, description="a list of 1 to 50 symbols such as BTCUSDT; at least one is needed"),
]
Text = Annotated[str, Meta(min_length=1)]

CEILING_EQUITY = {"owner": 10.0, "cautious": 7.0}
"""Control P04: the position value no setting may exceed, in multiples of equity, by risk profile."""


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mode: Literal["paper", "rehearsal", "shadow", "testnet", "live"] = "paper"
    lang: Literal["ko", "en"] = "ko"
    timezone: Text = "Asia/Seoul"
    data_dir: Text = "./data"
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbols: Symbols = ("BTCUSDT",)
    source: Annotated[str, Meta(pattern=r"^(auto|binance|embedded|file:.+)$")] = "auto"
    record: bool = True
    deliver_timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 3.0
    depth_speed_ms: Literal[0, 100, 250, 500] = 100
    transport: Literal["picows", "websockets"] = "picows"
    prime: bool = True
    tick_ms: Annotated[int, Meta(ge=10, le=1_000)] = 100
    rest_url: Annotated[str, Meta(pattern=r"^https?://[^/]+$")] = "https://fapi.binance.com"
    stream_url: Annotated[str, Meta(pattern=r"^wss?://[^/]+$")] = "wss://fstream.binance.com"
    backoff_cap_s: Annotated[float, Meta(ge=1, le=600)] = 60.0
    attempts_per_5min: Annotated[int, Meta(ge=1, le=290)] = 20
    rotate_h: Annotated[float, Meta(ge=0.1, le=23.5)] = 23.0
    frame_kb_max: Annotated[int, Meta(ge=64, le=16_384)] = 4_096


class ScalperParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Design §8, table of the scalper."""

    bar_s: Annotated[int, Meta(ge=1, le=3_600)] = 5
    baseline_bars: Annotated[int, Meta(ge=2, le=255)] = 20
    volume_multiple: Positive = 3.0
    imbalance_levels: Annotated[int, Meta(ge=1, le=20)] = 5
    imbalance_window_ms: Annotated[int, Meta(ge=1, le=60_000)] = 250
    imbalance_entry: Annotated[float, Meta(gt=0, le=1)] = 0.60
    momentum_s: Annotated[int, Meta(ge=1, le=600)] = 10
    momentum_z: Positive = 2.0
    momentum_history_min: Annotated[int, Meta(ge=1, le=30)] = 30
    momentum_ready_min: Annotated[int, Meta(ge=1, le=30)] = 2
    fade_bars: Annotated[int, Meta(ge=1, le=100)] = 3
    fade_multiple: NotNegative = 0.8
    hold_min_s: Annotated[int, Meta(ge=0, le=86_400)] = 15
    reversal: Annotated[float, Meta(gt=0, le=1)] = 0.40
    reversal_hold_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_000
    stop_pct: Annotated[float, Meta(gt=0, lt=100)] = 5.0
    cooldown_s: Annotated[int, Meta(ge=0, le=86_400)] = 5


class Strategy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["scalper"] = "scalper"
    model: Text = "none"
    params: ScalperParams = ScalperParams()


class Risk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Controls by their numbers in the failure catalogue; «equity» multiples scale with ``equity_usdt``."""

    profile: Literal["owner", "cautious"] = "owner"
    equity_usdt: Annotated[float, Meta(gt=0, le=1_000_000_000)] = 70.0
    leverage: Annotated[int, Meta(ge=1, le=125)] = 10
    order_value_max_equity: Positive = 10.0  # P02
    order_quantity_max: dict[str, Positive] = {}  # P02
    position_value_max_equity: Positive = 10.0  # P03
    margin_floor_pct: Percent = 1.0  # P05
    trade_risk_max_pct: PositivePercent = 55.0  # P06
    stop_loss_pct: Annotated[float, Meta(gt=0, lt=100)] = 5.0  # P07
    liquidation_multiple_min: Annotated[float, Meta(ge=1, le=100)] = 1.5  # P07
    collar_mid_bps: Positive = 15.0  # P08
    collar_touch_bps: Positive = 10.0  # P08
    spread_max_bps: Positive = 3.0  # P09
    depth_levels: Annotated[int, Meta(ge=1, le=20)] = 5  # P09
    depth_multiple_min: NotNegative = 20.0  # P09
    lag_max_ms: Milliseconds = 800  # P10
    mark_gap_max_pct: Positive = 0.25  # P10
    quote_gap_max_ticks: CountOrNone = 2  # P10
    quote_gap_ms: Milliseconds = 500  # P10
    move_max_pct_per_s: Positive = 0.5  # P10
    messages_per_s: Annotated[int, Meta(ge=1, le=30)] = 5  # P12
    messages_per_10s: Annotated[int, Meta(ge=1, le=300)] = 20  # P12
    messages_per_min: Annotated[int, Meta(ge=1, le=1_200)] = 60  # P12
    repeat_entries_max: Count = 3  # P14
    repeat_window_s: Seconds = 60  # P14
    entries_per_hour: Count = 30  # P14
    entries_per_day: Count = 150  # P14
    duplicate_window_ms: Milliseconds = 1_000  # P15
    entry_orders_max: Count = 1  # P17
    open_orders_max: Annotated[int, Meta(ge=1, le=5)] = 5  # P17
    daily_loss_soft_pct: PositivePercent = 55.0  # P21
    daily_loss_hard_pct: PositivePercent = 55.0  # P21
    drawdown_max_pct: PositivePercent = 55.0  # P22
    fee_budget_pct: PositivePercent = 10.0  # P23
    streak_pause: Count = 5  # P24
    streak_pause_min: Annotated[int, Meta(ge=1, le=1_440)] = 15  # P24
    streak_halt: Count = 8  # P24


class Execution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    shutdown_policy: Literal["protect", "flatten"] = "protect"
    entry_type: Literal["market", "ioc", "maker"] = "market"
    max_slippage_bps: Positive = 10.0
    recv_window_ms: Annotated[int, Meta(ge=100, le=5_000)] = 1_000
    keep_warm: bool = True
    dead_man_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    transport: Literal["rest", "ws"] = "rest"
    stop_working_type: Literal["MARK_PRICE", "CONTRACT_PRICE"] = "MARK_PRICE"
    ws_api_url: Annotated[str, Meta(pattern=r"^wss?://[^/]+/.+$")] = "wss://ws-fapi.binance.com/ws-fapi/v1"


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    latency_out_ms: Annotated[float, Meta(ge=0, le=10_000)] = 25.0
    latency_back_ms: Annotated[float, Meta(ge=0, le=10_000)] = 20.0
    jitter_ms: Annotated[float, Meta(ge=0, le=10_000)] = 0.0
    lag_bound_ms: Annotated[int, Meta(ge=1, le=10_000)] = 250
    queue_model: Literal["risk_averse", "probability"] = "risk_averse"
    reports: Literal["horizon", "exact"] = "horizon"
    fees: Literal["venue", "fixed"] = "venue"
    maker_bps: Annotated[float, Meta(ge=-10, le=100)] = 2.0
    taker_bps: Annotated[float, Meta(ge=0, le=100)] = 5.0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 7


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = False
    per_symbol: bool = True


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fresh_ms: Annotated[int, Meta(ge=1, le=60_000)] = 300
    stale_ms: Annotated[int, Meta(ge=1, le=60_000)] = 2_000
    clock_uncertainty_max_ms: Milliseconds = 800


class Hypothesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    profile: Literal["aggressive", "cautious"] = "aggressive"
    spread_max_bps: Positive = 4.0
    depth_bps: Annotated[
        float, Meta(ge=1, le=500, multiple_of=1, description="a whole number of bps from 1 to 500")
    ] = 5.0
    depth_min_usdt: NotNegative = 20_000.0
    imbalance_max: Share = 0.0
    liquidations_max: CountOrNone = 8
    liquidation_window_s: Seconds = 10
    clear_after_ms: Milliseconds = 1_000


class Records(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    every_snapshot: bool = False


class Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quota_gb: Annotated[float, Meta(gt=0, le=100_000)] = 20.0
    chunk_mb: Annotated[int, Meta(ge=1, le=16)] = 4


class Journal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sync: Literal["batch", "always"] = "batch"


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = False
    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 7101
    control: bool = False
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")


class Telegram(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = False
    chat_id: int = 0
    user_id: int = 0
    daily_report: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "09:00"
    notify: dict[str, Literal["on", "silent", "off"]] = {}


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite:///|postgresql://).+$",
            description="of the form sqlite:///FILE or postgresql://HOST/DATABASE",
        ),
    ] = "sqlite:///trades.db"
    models_url: Annotated[
        str, Meta(pattern=r"^(file:|s3://).+$", description="of the form file:FOLDER or s3://BUCKET/FOLDER")
    ] = "file:models"


class Ui(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    colors: Literal["green_up", "red_up"] = "green_up"
    krw_per_usdt: NotNegative = 0.0


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    process: Literal["same", "child"] = "same"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All sections. Made by ``config.load.load``; nobody changes one."""

    app: App = App()
    feed: Feed = Feed()
    strategy: Strategy = Strategy()
    risk: Risk = Risk()
    execution: Execution = Execution()
    paper: Paper = Paper()
    metrics: Metrics = Metrics()
    trust: Trust = Trust()
    hypothesis: Hypothesis = Hypothesis()
    records: Records = Records()
    recording: Recording = Recording()
    journal: Journal = Journal()
    api: Api = Api()
    telegram: Telegram = Telegram()
    storage: Storage = Storage()
    ui: Ui = Ui()
    interface: Interface = Interface()
