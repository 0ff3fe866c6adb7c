use super::functions::{AGGREGATIONS, OTHER_FUNCTIONS, OVER_RANGES};
use super::token::{Token, tokens};
use super::{Binary, Expr, Grouping, Matching, Selector, SyntaxError};

/// Expressions are not nested more deeply than this.
const DEEPEST: usize = 100;

/// Binary operators by how tightly they bind, loosest first.
const LEVELS: [&[&str]; 5] = [
    &["or"],
    &["and", "unless"],
    &["==", "!=", "<=", "<", ">=", ">"],
    &["+", "-"],
    &["*", "/", "%", "atan2"],
];

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: text.chars().count() + 1,
    };
    let expr = parser.binary(0, 0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(parser.wrong(format!("{} is not expected", named(token)))),
    }
}

pub(super) struct Parser<'a> {
    tokens: &'a [(Token, usize)],
    pub(super) next: usize,
    end: usize,
}

fn named(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("{name:?}"),
        Token::Number(number) => number.to_string(),
        Token::Duration(seconds) => format!("the duration of {seconds}s"),
        Token::Text(text) => format!("the text {text:?}"),
        Token::Sign(sign) => format!("{sign:?}"),
    }
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    pub(super) fn wrong(&self, what: String) -> SyntaxError {
        let at = self.tokens.get(self.next).map_or(self.end, |(_, at)| *at);
        SyntaxError { what, at }
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(next)) if *next == sign)
    }

    pub(super) fn takes_sign(&mut self, sign: &str) -> bool {
        let is_next = self.is_sign(sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.takes_sign(sign) {
            return Ok(());
        }
        let instead = self.peek().map_or("the end".to_owned(), named);
        Err(self.wrong(format!("{sign:?} is expected and not {instead}")))
    }

    /// The next name in lower case, if it is one of these.
    fn takes_word(&mut self, words: &[&str]) -> Option<String> {
        let Some(Token::Name(name)) = self.peek() else {
            return None;
        };
        let name = name.to_ascii_lowercase();
        words.contains(&name.as_str()).then(|| {
            self.next += 1;
            name
        })
    }

    fn binary(&mut self, level: usize, depth: usize) -> Result<Expr, SyntaxError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.signed(depth);
        };
        let mut left = self.binary(level + 1, depth)?;
        while let Some(operator) = self.operator(operators) {
            let matching = self.matching()?;
            let right = self.binary(level + 1, depth)?;
            left = Expr::Binary(Box::new(Binary {
                operator,
                left,
                right,
                matching,
            }));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[&str]) -> Option<String> {
        if let Some(Token::Sign(sign)) = self.peek() {
            return operators.contains(sign).then(|| {
                self.next += 1;
                (*sign).to_owned()
            });
        }
        self.takes_word(operators)
    }

    fn matching(&mut self) -> Result<Matching, SyntaxError> {
        self.takes_word(&["bool"]);
        let matching = match self.takes_word(&["on", "ignoring"]).as_deref() {
            Some("on") => Matching::On(self.labels()?),
            Some(_) => Matching::Ignoring(self.labels()?),
            None => Matching::All,
        };
        if self.takes_word(&["group_left", "group_right"]).is_some() && self.is_sign("(") {
            self.labels()?;
        }
        Ok(matching)
    }

    fn labels(&mut self) -> Result<Vec<String>, SyntaxError> {
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.takes_sign(")") {
            let Some(Token::Name(label) | Token::Text(label)) = self.peek() else {
                return Err(self.wrong("a label is expected".to_owned()));
            };
            labels.push(label.clone());
            self.next += 1;
            if !self.takes_sign(",") && !self.is_sign(")") {
                return Err(self.wrong("\",\" or \")\" is expected".to_owned()));
            }
        }
        Ok(labels)
    }

    /// A sign binds less tightly than a power.
    fn signed(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        if depth > DEEPEST {
            return Err(self.wrong("this is nested too deeply".to_owned()));
        }
        if self.takes_sign("-") || self.takes_sign("+") {
            let inner = self.signed(depth + 1)?;
            return Ok(match inner {
                Expr::Number(number) if self.tokens[self.next - 2].0 == Token::Sign("-") => {
                    Expr::Number(-number)
                }
                inner => Expr::Signed(Box::new(inner)),
            });
        }
        let left = self.postfixed(depth)?;
        if !self.takes_sign("^") {
            return Ok(left);
        }
        let matching = self.matching()?;
        let right = self.signed(depth + 1)?;
        Ok(Expr::Binary(Box::new(Binary {
            operator: "^".to_owned(),
            left,
            right,
            matching,
        })))
    }

    /// An expression with its ranges and offsets.
    fn postfixed(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let mut expr = self.primary(depth)?;
        loop {
            if self.takes_sign("[") {
                let range = self.seconds()?;
                let is_subquery = self.takes_sign(":");
                if is_subquery && !self.is_sign("]") {
                    self.seconds()?;
                }
                self.expect("]")?;
                expr = match (expr, is_subquery) {
                    (Expr::Selector(selector), false) if selector.range.is_none() => {
                        Expr::Selector(Selector {
                            range: Some(range),
                            ..selector
                        })
                    }
                    (_, false) => {
                        return Err(
                            self.wrong("a range stands behind something that is no selector".to_owned())
                        );
                    }
                    (inner, true) => Expr::Subquery {
                        inner: Box::new(inner),
                        range,
                    },
                };
            } else if self.takes_word(&["offset"]).is_some() {
                self.takes_sign("-");
                self.seconds()?;
            } else if self.takes_sign("@") {
                self.takes_sign("-");
                if self.takes_word(&["start", "end"]).is_some() {
                    self.expect("(")?;
                    self.expect(")")?;
                } else if matches!(self.peek(), Some(Token::Number(_))) {
                    self.next += 1;
                } else {
                    return Err(self.wrong("a time is expected behind \"@\"".to_owned()));
                }
            } else {
                return Ok(expr);
            }
        }
    }

    fn seconds(&mut self) -> Result<f64, SyntaxError> {
        match self.peek() {
            Some(Token::Duration(seconds) | Token::Number(seconds)) => {
                self.next += 1;
                Ok(*seconds)
            }
            _ => Err(self.wrong("a duration such as 5m is expected".to_owned())),
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let Some(token) = self.peek() else {
            return Err(self.wrong("the expression ends too early".to_owned()));
        };
        match token {
            Token::Number(number) | Token::Duration(number) => {
                self.next += 1;
                Ok(Expr::Number(*number))
            }
            Token::Text(text) => {
                self.next += 1;
                Ok(Expr::Text(text.clone()))
            }
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.binary(0, depth + 1)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("{") => self.selector(None),
            Token::Sign(sign) => Err(self.wrong(format!("{sign:?} is not expected"))),
            Token::Name(name) => {
                self.next += 1;
                self.named(name, depth)
            }
        }
    }

    fn named(&mut self, name: &str, depth: usize) -> Result<Expr, SyntaxError> {
        let lower = name.to_ascii_lowercase();
        let is_open = self.is_sign("(");
        let groups = matches!(self.peek(), Some(Token::Name(word)) if ["by", "without"].contains(&word.to_ascii_lowercase().as_str()));
        if AGGREGATIONS.contains(&lower.as_str()) && (is_open || groups) {
            return self.aggregate(lower, depth);
        }
        if is_open {
            return self.call(name, depth);
        }
        match lower.as_str() {
            "inf" => Ok(Expr::Number(f64::INFINITY)),
            "nan" => Ok(Expr::Number(f64::NAN)),
            "and" | "or" | "unless" | "by" | "without" | "on" | "ignoring" | "bool" | "offset" => {
                self.next -= 1;
                Err(self.wrong(format!("{name:?} is not expected")))
            }
            _ => self.selector(Some(name.to_owned())),
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expr>, SyntaxError> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.takes_sign(")") {
            arguments.push(self.binary(0, depth + 1)?);
            if !self.takes_sign(",") && !self.is_sign(")") {
                return Err(self.wrong("\",\" or \")\" is expected".to_owned()));
            }
        }
        Ok(arguments)
    }

    fn aggregate(&mut self, operator: String, depth: usize) -> Result<Expr, SyntaxError> {
        let mut grouping = self.grouping()?;
        let arguments = self.arguments(depth)?;
        if arguments.is_empty() {
            return Err(self.wrong(format!("{operator} has nothing to aggregate")));
        }
        if grouping == Grouping::None {
            grouping = self.grouping()?;
        }
        Ok(Expr::Aggregate {
            operator,
            grouping,
            arguments,
        })
    }

    fn grouping(&mut self) -> Result<Grouping, SyntaxError> {
        Ok(match self.takes_word(&["by", "without"]).as_deref() {
            Some("by") => Grouping::By(self.labels()?),
            Some(_) => Grouping::Without(self.labels()?),
            None => Grouping::None,
        })
    }

    fn call(&mut self, function: &str, depth: usize) -> Result<Expr, SyntaxError> {
        let over_range = OVER_RANGES.contains(&function);
        if !over_range && !OTHER_FUNCTIONS.contains(&function) {
            self.next -= 1;
            return Err(self.wrong(format!("there is no function {function:?}")));
        }
        let arguments = self.arguments(depth)?;
        let is_range = |expr: &Expr| {
            matches!(
                expr,
                Expr::Subquery { .. } | Expr::Selector(Selector { range: Some(_), .. })
            )
        };
        if over_range && !arguments.iter().any(is_range) {
            return Err(self.wrong(format!("{function} needs a range such as [5m]")));
        }
        if !over_range && arguments.iter().any(is_range) {
            return Err(self.wrong(format!("{function} takes no range")));
        }
        Ok(Expr::Call {
            function: function.to_owned(),
            arguments,
        })
    }
}
