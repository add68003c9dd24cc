//! An arena with players, who collect dots.

use std::collections::BTreeMap;

/// The length of a side.
const SIDE: f32 = 1000.0;

/// Of a player.
const RADIUS: f32 = 24.0;

/// How far a player moves within a tick.
const SPEED: f32 = 5.0;

/// From how far away a player takes a dot.
const REACH: f32 = RADIUS + 8.0;

const DOTS: usize = 40;

#[derive(Default)]
pub(crate) struct World {
    tick: u16,
    last: u16,
    players: BTreeMap<u16, Player>,
    dots: Vec<[f32; 2]>,
    random: u64,
}

#[derive(Default)]
struct Player {
    place: [f32; 2],
    /// Of a length up to 1.
    direction: [f32; 2],
    score: u16,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            random: 0x9E37_79B9_7F4A_7C15,
            ..Self::default()
        };
        world.dots = (0..DOTS).map(|_| world.somewhere()).collect();
        world
    }

    /// Adds a player, and returns the number.
    pub(crate) fn join(&mut self) -> u16 {
        let place = self.somewhere();
        while self.last == 0 || self.players.contains_key(&self.last) {
            self.last = self.last.wrapping_add(1);
        }
        let player = Player {
            place,
            ..Player::default()
        };
        self.players.insert(self.last, player);
        self.last
    }

    pub(crate) fn leave(&mut self, number: u16) {
        self.players.remove(&number);
    }

    /// Turns a player: two bytes, each from -127 to 127.
    pub(crate) fn steer(&mut self, number: u16, direction: &[u8]) {
        let Some(player) = self.players.get_mut(&number) else {
            return;
        };
        if let &[x, y] = direction {
            let [x, y] = [x, y].map(|byte| f32::from(byte.cast_signed()) / 127.0);
            let length = x.hypot(y).max(1.0);
            player.direction = [x / length, y / length];
        }
    }

    /// Moves everyone by a tick.
    pub(crate) fn step(&mut self) {
        self.tick = self.tick.wrapping_add(1);
        let mut taken = Vec::new();
        for player in self.players.values_mut() {
            for (place, direction) in player.place.iter_mut().zip(player.direction) {
                *place = (*place + direction * SPEED).clamp(RADIUS, SIDE - RADIUS);
            }
            for (index, dot) in self.dots.iter().enumerate() {
                let [x, y] = player.place;
                if (dot[0] - x).hypot(dot[1] - y) < REACH && !taken.contains(&index) {
                    player.score = player.score.saturating_add(1);
                    taken.push(index);
                }
            }
        }
        for index in taken {
            let place = self.somewhere();
            if let Some(dot) = self.dots.get_mut(index) {
                *dot = place;
            }
        }
    }

    /// What everyone is sent, in numbers of 16 bits, the low byte first: the
    /// tick, how many players there are, each player's number, place and score,
    /// and the place of each dot.
    pub(crate) fn state(&self) -> Vec<u8> {
        let mut numbers = vec![self.tick, self.players.len() as u16];
        for (number, player) in &self.players {
            let [x, y] = player.place.map(|length| length as u16);
            numbers.extend([*number, x, y, player.score]);
        }
        numbers.extend(self.dots.iter().flatten().map(|length| *length as u16));
        numbers.into_iter().flat_map(u16::to_le_bytes).collect()
    }

    fn somewhere(&mut self) -> [f32; 2] {
        [0; 2].map(|_| {
            // xorshift64
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            40.0 + (self.random % 920) as f32
        })
    }
}
