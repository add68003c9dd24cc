use std::fmt::Write;

use super::echo::{ratios, scenario};
use crate::echo::Setting;
use crate::{codec, echo};

/// What the picture shows: a selection of each kind, those included where we are
/// slower.
const PICTURED: [&str; 13] = [
    "receive binary, 16 B",
    "receive binary, 1 KiB",
    "receive binary, 1 MiB",
    "receive mixed text, 1 KiB",
    "send server, binary, 1 KiB",
    "send client, binary, 1 KiB",
    "handshake browser's head",
    "deflate echo, JSON, 1 KiB, no takeover",
    "echo 64 x 1 KiB",
    "echo 64 x 64 KiB",
    "echo 64 x 1 KiB, 64 in flight",
    "echo 64 x 64 KiB, 4 in flight",
    "obvious loop 64 x 1 KiB, 64 in flight",
];

/// A bar for each ratio: how many times as fast as the fastest other.
pub fn picture(codec: &[codec::Outcome], echo: &[echo::Outcome]) -> String {
    const ROW: usize = 28;
    const LEFT: usize = 300;
    const UNIT: f64 = 60.0;
    let codec = codec.iter().filter_map(|outcome| {
        let label = format!("{} {}", outcome.group, outcome.workload);
        Some((label, outcome.ratio()?))
    });
    let echo = echo.iter().filter_map(|outcome| {
        let kind = match outcome.setting {
            Setting::Alone => "echo",
            Setting::Loop => "obvious loop",
            _ => return None,
        };
        let label = format!("{kind} {}", scenario(&outcome.scenario));
        Some((label, ratios(outcome)[0]))
    });
    let mut bars: Vec<(String, f64)> = codec.chain(echo).collect();
    bars.retain(|(label, _)| PICTURED.contains(&&**label));
    let (width, height) = (LEFT + 620, (bars.len() + 3) * ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"22\" font-size=\"16\">Speed relative to the fastest other Rust \
         WebSocket library (longer is faster)</text>\n"
    );
    for (index, (label, ratio)) in bars.iter().enumerate() {
        let y = (index + 2) * ROW;
        let length = (ratio * UNIT).min(560.0);
        let colour = if *ratio < 0.995 { "#e8a33d" } else { "#2f6fb2" };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{ratio:.2}</text>",
            LEFT - 6,
            y + 16,
            ROW - 6,
            LEFT as f64 + length + 4.0,
            y + 16,
        )
        .expect("a string");
    }
    let one = LEFT as f64 + UNIT;
    writeln!(
        svg,
        "<line x1=\"{one}\" x2=\"{one}\" y1=\"{}\" y2=\"{height}\" stroke=\"black\" \
         stroke-dasharray=\"3 3\"/>\n</svg>",
        2 * ROW
    )
    .expect("a string");
    svg
}
