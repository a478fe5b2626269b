//! The fact check: every number, date, price, address and code of a sentence must stand in the passages it cites.
//! Both sides are read into the same normal form, and what is in doubt counts as not supported. Pure.

use std::collections::BTreeSet;

use super::units::{CURRENCIES, MONTHS, SPANS, WRITTEN};

/// A word in capitals of at least this many letters is a code.
const CODE_LETTERS_MIN: usize = 4;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// Nothing that is known here.
    None,
    /// Money or a share: it must be the same.
    Money(&'static str),
    /// A day of a month: it must be the same.
    Month(u32),
    /// A span of time: it must not be another one.
    Span(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    /// Its readings (`1.299` is two numbers) and what it counts.
    Number(BTreeSet<String>, Unit),
    /// Year, month, day.
    Date(u32, u32, u32),
    /// An address of the web or of a mailbox, or a code; lower case.
    Word(String),
}

/// What the cited passages support.
#[derive(Debug)]
pub struct Support {
    facts: BTreeSet<Fact>,
    text: String,
}

impl Support {
    /// Reads the cited passages: title, heading and text of each.
    pub fn of<'a>(passages: impl IntoIterator<Item = &'a str>) -> Self {
        let mut support = Self { facts: BTreeSet::new(), text: String::new() };
        for passage in passages {
            support.facts.extend(facts(passage));
            support.text.push_str(&passage.to_lowercase());
            support.text.push('\n');
        }
        support
    }

    /// The first fact of a sentence that the passages do not hold, as it is written in a log without its words.
    pub fn missing(&self, sentence: &str) -> Option<&'static str> {
        facts(sentence).iter().find(|fact| !self.holds(fact)).map(|fact| match fact {
            Fact::Number(_, Unit::Money(_)) => "price",
            Fact::Number(..) => "number",
            Fact::Date(..) => "date",
            Fact::Word(_) => "address or code",
        })
    }

    fn holds(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Word(word) => self.has_word(word),
            Fact::Date(year, month, day) => self.facts.iter().any(|it| match it {
                Fact::Date(y, m, d) => (y, m, d) == (year, month, day),
                Fact::Number(..) | Fact::Word(_) => false,
            }),
            Fact::Number(readings, unit) => self.facts.iter().any(|it| match it {
                Fact::Number(known, known_unit) => {
                    !known.is_disjoint(readings) && fits(*unit, *known_unit)
                }
                Fact::Date(year, month, day) => match unit {
                    Unit::Month(wanted) => wanted == month && readings.contains(&day.to_string()),
                    Unit::None => readings.contains(&year.to_string()),
                    Unit::Money(_) | Unit::Span(_) => false,
                },
                Fact::Word(_) => false,
            }),
        }
    }

    /// Whether a word stands there whole, not as part of a longer one.
    fn has_word(&self, word: &str) -> bool {
        self.text.match_indices(word).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + word.len()..].chars();
            let joins = |c: char| c.is_alphanumeric() || matches!(c, '@' | '_');
            // A full stop or slash at the end closes a sentence; followed by more it is a longer address.
            let mut after = after.skip_while(|c| matches!(c, '/'));
            let next = after.next();
            let longer = match next {
                Some('.' | '-') => after.next().is_some_and(char::is_alphanumeric),
                Some(c) => joins(c),
                None => false,
            };
            !before.is_some_and(|c| joins(c) || matches!(c, '.' | '-')) && !longer
        })
    }
}

fn fits(wanted: Unit, known: Unit) -> bool {
    match (wanted, known) {
        // "30-60 days" names the span once; a number that counts nothing known may be of any span.
        (Unit::Span(_) | Unit::None, Unit::None) | (Unit::None, Unit::Span(_)) => true,
        (Unit::None, Unit::Money(_) | Unit::Month(_)) => true,
        (Unit::Money(a), Unit::Money(b)) | (Unit::Span(a), Unit::Span(b)) => a == b,
        (Unit::Month(a), Unit::Month(b)) => a == b,
        (Unit::Money(_) | Unit::Month(_), _) | (Unit::Span(_), _) => false,
    }
}

/// Everything in a text that must be supported.
fn facts(text: &str) -> Vec<Fact> {
    let mut found = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut numbers: Vec<(usize, BTreeSet<String>, Unit)> = Vec::new();
    for (at, raw) in words.iter().enumerate() {
        let word = bare(raw);
        if word.is_empty() || (at == 0 && is_list_marker(raw)) {
            continue;
        }
        if let Some(address) = address(raw) {
            found.push(Fact::Word(address));
        } else if let Some((year, month, day)) = date(word) {
            found.push(Fact::Date(year, month, day));
        } else if is_code(word) {
            found.push(Fact::Word(word.to_lowercase()));
        } else {
            for readings in readings(word) {
                numbers.push((at, readings, unit_of(&words, at)));
            }
        }
    }
    // "30 to 60 €": the first counts what the second counts.
    for index in (1..numbers.len()).rev() {
        let (at, _, unit) = &numbers[index];
        let (at, unit) = (*at, *unit);
        let before = &mut numbers[index - 1];
        if before.2 == Unit::None && at - before.0 <= 2 && (at == before.0 || is_range(&words, at))
        {
            before.2 = unit;
        }
    }
    found.extend(numbers.into_iter().map(|(_, readings, unit)| Fact::Number(readings, unit)));
    found
}

fn is_range(words: &[&str], at: usize) -> bool {
    at > 0
        && matches!(
            words[at - 1],
            "-" | "–" | "to" | "bis" | "a" | "à" | "and" | "und" | "y" | "et"
        )
}

/// `3.` or `3)` at the start of a line.
fn is_list_marker(word: &str) -> bool {
    let digits = word.trim_end_matches(['.', ')']);
    digits.len() < word.len() && digits.len() <= 2 && digits.chars().all(|c| c.is_ascii_digit())
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    let kept =
        |c: char| c.is_alphanumeric() || CURRENCIES.iter().any(|(sign, _)| sign.starts_with(c));
    word.trim_matches(|c: char| !kept(c))
}

/// A link or mailbox in a word, wherever it begins: in Markdown it stands behind brackets.
fn address(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let from = lower.find("://").map(|at| at + 3).or_else(|| lower.find("www."));
    let is_mailbox = lower.contains('@');
    let rest = match from {
        Some(from) => &lower[from..],
        None => lower.trim_start_matches(|c: char| !c.is_alphanumeric()),
    };
    let end = rest.find(['<', '>', '"', ')', ']', '(', '[', ',', ';']).unwrap_or(rest.len());
    let rest = rest[..end].trim_end_matches(|c: char| !c.is_alphanumeric());
    (from.is_some() || is_mailbox || is_domain(rest)).then(|| rest.to_owned())
}

/// `shop.example/returns`: labels of letters, digits and hyphens, the last of letters.
fn is_domain(text: &str) -> bool {
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let mut labels = host.rsplit('.');
    let top = labels.next().unwrap_or_default();
    let is_label =
        |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_top = top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
    let mut below = labels.peekable();
    let first = below.peek().is_some_and(|it| it.len() > 1);
    is_top && first && below.all(is_label)
}

/// A word that mixes letters and digits, or one in capitals.
fn is_code(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let all_upper = word.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    let joined = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.'));
    if digits == 0 {
        return letters >= CODE_LETTERS_MIN && all_upper && joined;
    }
    let starts = word.chars().next().is_some_and(char::is_alphabetic);
    let is_money = CURRENCIES.iter().any(|(it, _)| {
        let lower = word.to_lowercase();
        lower.starts_with(it) || lower.ends_with(it)
    });
    joined && letters > 0 && !is_money && (starts || (all_upper && letters > 1))
}

/// Days written in digits alone, in the order year-month-day, or day.month.year, or with slashes where it is clear.
fn date(word: &str) -> Option<(u32, u32, u32)> {
    let mark = word.chars().find(|c| matches!(c, '-' | '.' | '/'))?;
    let parts: Vec<&str> = word.split(mark).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|it| it.parse().ok()).collect();
    let (&[a, b, c], 3) = (numbers.as_slice(), parts.len()) else { return None };
    let is_date = |(y, m, d): (u32, u32, u32)| {
        ((1900..=2199).contains(&y) && (1..=12).contains(&m) && (1..=31).contains(&d))
            .then_some((y, m, d))
    };
    match mark {
        '-' | '/' if a > 31 => is_date((a, b, c)),
        '/' if b > 12 => is_date((c, a, b)),
        '.' | '-' | '/' => is_date((c, b, a)),
        _ => None,
    }
}

/// The numbers in a word, each with the ways it may be read.
fn readings(word: &str) -> Vec<BTreeSet<String>> {
    let lower = word.to_lowercase();
    if let Some((_, digits)) = WRITTEN.iter().find(|(name, _)| *name == lower) {
        return vec![BTreeSet::from([(*digits).to_owned()])];
    }
    let pieces = word.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '\'')));
    let numbers = pieces.map(|it| it.trim_matches(|c: char| !c.is_ascii_digit()));
    numbers.filter(|it| !it.is_empty()).map(number_readings).collect()
}

fn number_readings(text: &str) -> BTreeSet<String> {
    let plain = text.replace('\'', "");
    let marks: Vec<(usize, char)> =
        plain.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let mut found = BTreeSet::new();
    let Some(&(last_at, last)) = marks.last() else {
        return BTreeSet::from([plain_number(&plain, "")]);
    };
    let (whole, part) = (&plain[..last_at], &plain[last_at + 1..]);
    let groups_of_three = marks.iter().all(|(_, c)| *c == last) && part.len() == 3;
    let decimal = marks.len() == 1 || marks[..marks.len() - 1].iter().all(|(_, c)| *c != last);
    if groups_of_three {
        found.insert(plain_number(&digits(&plain), ""));
    }
    if decimal {
        found.insert(plain_number(&digits(whole), part));
    }
    if found.is_empty() {
        // A version, an address, a phone number: exactly as it is.
        found.insert(plain);
    }
    found
}

fn plain_number(whole: &str, part: &str) -> String {
    // `08` is a time or a day; `030` begins a phone number and is no thirty.
    let whole = if whole.len() > 2 { whole } else { whole.trim_start_matches('0') };
    let part = part.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

/// What the number in a word counts: by the word itself, the one after it, or the one before.
fn unit_of(words: &[&str], at: usize) -> Unit {
    let own = words[at].to_lowercase();
    let letters: String =
        own.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\'')).collect();
    let letters =
        letters.trim_matches(|c: char| matches!(c, '-' | '–' | '(' | ')' | '"' | ':' | ';'));
    let next = words.get(at + 1).map(|it| bare(it).to_lowercase()).unwrap_or_default();
    let before = at.checked_sub(1).map(|it| bare(words[it]).to_lowercase()).unwrap_or_default();
    for word in [letters, next.as_str()] {
        if let Some(unit) = unit(word) {
            return unit;
        }
    }
    match unit(&before) {
        Some(unit @ (Unit::Money(_) | Unit::Month(_))) if !has_digit(&before) => unit,
        Some(_) | None => Unit::None,
    }
}

fn has_digit(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_digit())
}

fn unit(word: &str) -> Option<Unit> {
    if let Some((_, name)) = CURRENCIES.iter().find(|(it, _)| *it == word) {
        return Some(Unit::Money(name));
    }
    if let Some((_, month)) = MONTHS.iter().find(|(it, _)| *it == word) {
        return Some(Unit::Month(*month));
    }
    let span = SPANS.iter().find(|(it, _)| word.starts_with(it));
    span.map(|(_, name)| Unit::Span(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: &str = "Returns: 30-day returns, refunds within 5 business days. Shipping costs 4.90 € \
        (free from 1,299.00 €), 19 % VAT. Order until 24 December 2025 or 2026-01-31. Write to \
        help@shop.example or see https://shop.example/returns. Use code SAVE10 with part LX-200. Battery \
        lasts 8 to 12 hours. Call 030 1234 5678. Version 2.0.1.";

    fn check(sentence: &str, supported: bool) {
        let support = Support::of([PASSAGE]);
        let missing = support.missing(sentence);
        assert_eq!(missing.is_none(), supported, "{sentence}: {missing:?} {:?}", facts(sentence));
    }

    #[test]
    fn what_stands_in_the_passage_is_supported() {
        for sentence in [
            "You can return it within 30 days.",
            "Refunds take five days.",
            "Shipping is €4.90, or free from 1.299 EUR.",
            "It is 4,90 euros.",
            "It includes 19% VAT.",
            "Order by December 24, or by 24 December.",
            "The last day is 31.01.2026.",
            "Write to Help@Shop.example.",
            "See shop.example/returns.",
            "The battery lasts 8–12 hours.",
            "Use SAVE10 for the lx-200.",
            "1. No fact at all here.",
            "Call 030 1234 5678.",
            "It is version 2.0.1.",
        ] {
            check(sentence, true);
        }
    }

    #[test]
    fn what_does_not_stand_there_is_not() {
        for sentence in [
            "You can return it within 60 days.",
            "You can return it within 30 minutes.",
            "Refunds take two weeks.",
            "Shipping is 5 €.",
            "Shipping is 30 €.",
            "Shipping is $4.90.",
            "You get 19 € back.",
            "You get 30% off.",
            "Order by 24 November.",
            "Order by 12/25/2025.",
            "Order by 2025-12-31.",
            "Write to evil@shop.example.",
            "Write to help@shop.example.evil.com.",
            "See https://evil.example/returns.",
            "See [this](http://evil.example).",
            "![x](https://evil.example/pixel.png?q=secret)",
            "See shop.example/returns?leak=1.",
            "Go to evil.example now.",
            "Use code SAVE90.",
            "Use code FREESTUFF.",
            "Buy part LX-20.",
            "It is version 2.0.2.",
        ] {
            check(sentence, false);
        }
    }

    #[test]
    fn numbers_have_every_reading_they_may_have() {
        let read = |text: &str| number_readings(text).into_iter().collect::<Vec<_>>();
        assert_eq!(read("1.299"), ["1.299", "1299"]);
        assert_eq!(read("1,299.00"), ["1299"]);
        assert_eq!(read("1.299,50"), ["1299.5"]);
        assert_eq!(read("1'000'000"), ["1000000"]);
        assert_eq!(read("1.000.000"), ["1000000"]);
        assert_eq!(read("007"), ["007"]);
        assert_eq!(read("08"), ["8"]);
        assert_eq!(read("0.50"), ["0.5"]);
        assert_eq!(read("1.2.3"), ["1.2.3"]);
    }
}
