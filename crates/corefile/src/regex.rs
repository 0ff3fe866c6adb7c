//! Whether Go's library would take a regular expression, and how many groups it has.
//!
//! Nothing is matched here. An own reader, because what Rust's crates take differs from Go in just the places where
//! mistakes are made: repeated repetitions, escapes, bounds.

/// The number of groups in parentheses that capture. `Err` says what Go would refuse.
pub(crate) fn groups(pattern: &str) -> Result<usize, &'static str> {
    let mut reader = Reader {
        letters: pattern.chars().collect(),
        at: 0,
        groups: 0,
        names: Vec::new(),
        depth: 0,
    };
    reader.alternatives()?;
    if reader.at < reader.letters.len() {
        return Err("a `)` closes nothing");
    }
    Ok(reader.groups)
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    groups: usize,
    names: Vec<String>,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn eat(&mut self, text: &str) -> bool {
        let wanted: Vec<char> = text.chars().collect();
        let found = self.letters[self.at..].starts_with(&wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn alternatives(&mut self) -> Result<(), &'static str> {
        self.depth += 1;
        if self.depth > 500 {
            return Err("groups are nested too deeply");
        }
        let mut can_repeat = false;
        let mut repeated = false;
        while let Some(letter) = self.peek() {
            match letter {
                ')' => break,
                '|' => {
                    self.at += 1;
                    (can_repeat, repeated) = (false, false);
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    self.repeat(can_repeat, &mut repeated)?;
                }
                '{' => {
                    if self.bounds()? {
                        self.repeat(can_repeat, &mut repeated)?;
                    } else {
                        self.at += 1;
                        (can_repeat, repeated) = (true, false);
                    }
                }
                _ => {
                    can_repeat = self.atom()?;
                    repeated = false;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn repeat(&mut self, can_repeat: bool, repeated: &mut bool) -> Result<(), &'static str> {
        if !can_repeat {
            return Err("a repetition stands behind nothing");
        }
        if *repeated {
            return Err("a repetition is repeated");
        }
        self.eat("?");
        *repeated = true;
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else in braces is text.
    fn bounds(&mut self) -> Result<bool, &'static str> {
        let rest: String = self.letters[self.at + 1..].iter().take(24).collect();
        let Some((inside, _)) = rest.split_once('}') else {
            return Ok(false);
        };
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (digits && (text.len() == 1 || !text.starts_with('0')))
                .then(|| text.parse::<u32>().unwrap_or(u32::MAX))
        };
        let Some(low) = number(low) else { return Ok(false) };
        let high = match high {
            "" => low,
            high => match number(high) {
                Some(high) => high,
                None => return Ok(false),
            },
        };
        if low > 1000 || high > 1000 || low > high {
            return Err("the bounds of a repetition are above 1000 or the wrong way round");
        }
        self.at += inside.chars().count() + 2;
        Ok(true)
    }

    /// Reads one thing that can be repeated. Says whether it can: flags alone cannot.
    fn atom(&mut self) -> Result<bool, &'static str> {
        match self.next() {
            Some('(') => self.group(),
            Some('[') => self.class().map(|()| true),
            Some('\\') => self.escape(false).map(|()| true),
            _ => Ok(true),
        }
    }

    fn group(&mut self) -> Result<bool, &'static str> {
        let looks_behind = self.letters[self.at..].starts_with(&['?', '<', '='])
            || self.letters[self.at..].starts_with(&['?', '<', '!']);
        if self.eat("?P<") || (!looks_behind && self.eat("?<")) {
            let mut name = String::new();
            loop {
                match self.next() {
                    Some('>') => break,
                    Some(letter) if letter.is_ascii_alphanumeric() || letter == '_' => name.push(letter),
                    _ => return Err("the name of a group is not closed, or has a sign in it"),
                }
            }
            if name.is_empty() || self.names.contains(&name) {
                return Err("the name of a group is empty or taken");
            }
            self.names.push(name);
            self.groups += 1;
        } else if self.eat("?") {
            let mut any = false;
            let mut minus = false;
            loop {
                match self.next() {
                    Some(':') => break,
                    Some(')') if any => return Ok(true),
                    Some('i' | 'm' | 's' | 'U') => any = true,
                    Some('-') if !minus => {
                        minus = true;
                        any = false;
                    }
                    _ => return Err("Go knows no such kind of group (it has no look-around)"),
                }
            }
            if minus && !any {
                return Err("flags are missing behind `-`");
            }
        } else {
            self.groups += 1;
        }
        self.alternatives()?;
        if self.next() == Some(')') {
            Ok(true)
        } else {
            Err("a `(` is not closed")
        }
    }

    fn class(&mut self) -> Result<(), &'static str> {
        self.eat("^");
        let mut first = true;
        loop {
            let Some(letter) = self.next() else {
                return Err("a `[` is not closed");
            };
            match letter {
                ']' if !first => return Ok(()),
                '[' if self.peek() == Some(':') && self.named_class()? => {
                    first = false;
                    continue;
                }
                _ => {}
            }
            first = false;
            let low = self.class_letter(letter)?;
            if self.peek() == Some('-') && self.letters.get(self.at + 1).is_some_and(|next| *next != ']') {
                let Some(low) = low else { continue };
                self.at += 1;
                let high = self.next().unwrap_or_default();
                let high = self.class_letter(high)?;
                if high.is_none_or(|high| high < low) {
                    return Err("a range within `[]` is the wrong way round");
                }
            }
        }
    }

    fn named_class(&mut self) -> Result<bool, &'static str> {
        const NAMES: &[&str] = &[
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let rest: String = self.letters[self.at + 1..].iter().collect();
        let Some((name, _)) = rest.split_once(":]") else {
            return Ok(false);
        };
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err("Go knows no such class of letters");
        }
        self.at += name.chars().count() + 3;
        Ok(true)
    }

    /// A letter of a class; none where an escape means several.
    fn class_letter(&mut self, letter: char) -> Result<Option<char>, &'static str> {
        if letter != '\\' {
            return Ok(Some(letter));
        }
        let start = self.at;
        self.escape(true)?;
        let escaped: Vec<char> = self.letters[start..self.at].to_vec();
        Ok(match escaped.as_slice() {
            ['d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P', ..] => None,
            ['n'] => Some('\n'),
            ['t'] => Some('\t'),
            ['r'] => Some('\r'),
            [letter] => Some(*letter),
            _ => Some('\0'),
        })
    }

    fn escape(&mut self, in_class: bool) -> Result<(), &'static str> {
        match self.next() {
            None => Err("a `\\` ends it"),
            Some('A' | 'b' | 'B' | 'z') if !in_class => Ok(()),
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'a' | 'f' | 't' | 'n' | 'r' | 'v' | '0') => Ok(()),
            Some('C') if !in_class => Err("Go does not take `\\C`"),
            Some('Q') if !in_class => {
                while self.at < self.letters.len() && !self.eat("\\E") {
                    self.at += 1;
                }
                Ok(())
            }
            Some('1'..='7') if matches!(self.peek(), Some('0'..='7')) => {
                self.at += 1;
                if matches!(self.peek(), Some('0'..='7')) {
                    self.at += 1;
                }
                Ok(())
            }
            Some('x') => self.hexadecimal(),
            Some('p' | 'P') => self.property(),
            Some(letter) if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Ok(()),
            Some(_) => Err("Go knows no such escape"),
        }
    }

    fn hexadecimal(&mut self) -> Result<(), &'static str> {
        let braces = self.eat("{");
        let mut digits = String::new();
        while self
            .peek()
            .is_some_and(|letter| letter.is_ascii_hexdigit() && (braces || digits.len() < 2))
        {
            digits.extend(self.next());
        }
        let closed = !braces || self.next() == Some('}');
        let fits = u32::from_str_radix(&digits, 16).is_ok_and(|number| number <= 0x0010_FFFF);
        if closed && fits && (braces || digits.len() == 2) {
            Ok(())
        } else {
            Err("`\\x` needs two hexadecimal digits, or some in braces")
        }
    }

    fn property(&mut self) -> Result<(), &'static str> {
        let name: String = if self.eat("{") {
            let mut name = String::new();
            loop {
                match self.next() {
                    Some('}') => break name,
                    Some(letter) => name.push(letter),
                    None => return Err("`\\p{` is not closed"),
                }
            }
        } else {
            self.next().into_iter().collect()
        };
        let known = name
            .trim_start_matches('^')
            .starts_with(|letter: char| letter.is_ascii_uppercase());
        if known {
            Ok(())
        } else {
            Err("Go knows no such class of letters")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_and_those_that_do_not_capture_are_not() {
        assert_eq!(groups(r"^(.*)\.(a|b)(?:c)(?P<n>d)$"), Ok(3));
        assert_eq!(groups(""), Ok(0));
        assert_eq!(groups(r"(?i)foo"), Ok(0));
    }

    #[test]
    fn what_go_takes_is_taken() {
        for pattern in [
            r"a{2,5}?",
            r"a{,5}",
            r"[]a]",
            r"[^]a]",
            r"[a-]",
            r"[[:alpha:]_]",
            r"\Qa(b\E",
            r"\x{1F600}",
            r"\pL\p{Greek}",
            r"a|",
            r"(|a)*",
            r"a*?",
            r"[\w-]",
        ] {
            assert!(groups(pattern).is_ok(), "{pattern}: {:?}", groups(pattern));
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(",
            ")",
            "a**",
            "*",
            "a|*",
            "[a",
            "[z-a]",
            r"\",
            r"\y",
            r"(?=a)",
            r"(?!a)",
            r"(?<=a)",
            "a{1001}",
            "a{5,2}",
            r"\1",
            "[[:foo:]]",
            "(?P<n>a)(?P<n>b)",
            "+a",
        ] {
            assert!(groups(pattern).is_err(), "{pattern}");
        }
    }
}
