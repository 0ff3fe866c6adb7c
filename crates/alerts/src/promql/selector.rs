use super::parse::Parser;
use super::token::Token;
use super::{Expr, MatchOperator, Matcher, Selector, SyntaxError};

impl Parser<'_> {
    pub(super) fn selector(&mut self, mut metric: Option<String>) -> Result<Expr, SyntaxError> {
        let mut matchers = Vec::new();
        if self.takes_sign("{") {
            while !self.takes_sign("}") {
                if let (Some(Token::Text(name)), None) = (self.peek(), &metric) {
                    self.next += 1;
                    metric = Some(name.clone());
                } else {
                    matchers.push(self.matcher()?);
                }
                if !self.takes_sign(",") && !self.is_sign("}") {
                    return Err(self.wrong("\",\" or \"}\" is expected".to_owned()));
                }
            }
        }
        let by_label = matchers
            .iter()
            .position(|matcher| matcher.label == "__name__" && matcher.operator == MatchOperator::Equal);
        if let (Some(index), None) = (by_label, &metric) {
            metric = Some(matchers.remove(index).value);
        }
        if metric.is_none() && matchers.is_empty() {
            return Err(self.wrong("a selector has neither a name nor a label".to_owned()));
        }
        Ok(Expr::Selector(Selector {
            metric,
            matchers,
            range: None,
        }))
    }

    fn matcher(&mut self) -> Result<Matcher, SyntaxError> {
        let Some(Token::Name(label)) = self.peek() else {
            return Err(self.wrong("a label is expected".to_owned()));
        };
        self.next += 1;
        let operator = match self.peek() {
            Some(Token::Sign("=")) => MatchOperator::Equal,
            Some(Token::Sign("!=")) => MatchOperator::NotEqual,
            Some(Token::Sign("=~")) => MatchOperator::Matches,
            Some(Token::Sign("!~")) => MatchOperator::MatchesNot,
            _ => return Err(self.wrong("=, !=, =~ or !~ is expected".to_owned())),
        };
        self.next += 1;
        let Some(Token::Text(value)) = self.peek() else {
            return Err(self.wrong("a text in quotes is expected".to_owned()));
        };
        self.next += 1;
        Ok(Matcher {
            label: label.clone(),
            operator,
            value: value.clone(),
        })
    }
}
