//! A market that is made up: prices that walk at random.

use std::fmt::Write;

const SYMBOLS: [&str; 12] = [
    "ALDER", "ASPEN", "BEECH", "BIRCH", "CEDAR", "ELM", "FIR", "HAZEL", "LARCH", "MAPLE", "OAK",
    "PINE",
];

pub(crate) struct Market {
    tick: u64,
    stocks: Vec<Stock>,
    random: u64,
}

struct Stock {
    symbol: &'static str,
    open: f64,
    price: f64,
    volume: u64,
}

impl Market {
    pub(crate) fn new() -> Self {
        let stocks = SYMBOLS.iter().zip(1..).map(|(symbol, number)| Stock {
            symbol,
            open: 40.0 * f64::from(number),
            price: 40.0 * f64::from(number),
            volume: 0,
        });
        Self {
            tick: 0,
            stocks: stocks.collect(),
            random: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// One tick: every price moves by less than a thousandth.
    pub(crate) fn trade(&mut self) {
        self.tick += 1;
        for stock in &mut self.stocks {
            // xorshift64
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let step = (self.random >> 40) as f64 / (1_u64 << 24) as f64 - 0.5;
            // Drawn to where it opened, so that it stays in sight.
            let pull = 0.002 * (stock.open - stock.price) / stock.open;
            stock.price *= 1.0 + 0.002 * step + pull;
            stock.volume += self.random % 100;
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut json = format!(r#"{{"tick":{},"prices":["#, self.tick);
        for (index, stock) in self.stocks.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let Stock {
                symbol,
                open,
                price,
                volume,
            } = stock;
            let spread = price * 0.0005;
            let (bid, ask) = (price - spread, price + spread);
            let _ = write!(
                json,
                r#"{comma}{{"symbol":"{symbol}","open":{open:.2},"last":{price:.2},"bid":{bid:.2},"ask":{ask:.2},"volume":{volume}}}"#
            );
        }
        json.push_str("]}");
        json
    }
}
