//! Quantities as Kubernetes writes them.

/// What a quantity of memory is in bytes, as `170Mi`; `None` for what is none. Fractions and exponents are not written for memory.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// What a quantity of CPU is in thousandths of a processor, as `1804m`, `2`, `0.5` or `123456789n`; `None` for what is none.
pub(crate) fn millicores(text: &str) -> Option<u64> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let nano_of: u64 = match unit {
        "" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        _ => return None,
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(nano_of)?;
    // Nine digits are a billionth, which is all that the API keeps.
    let mut padded: String = fraction.chars().take(9).collect();
    padded.extend(std::iter::repeat_n('0', 9 - padded.len()));
    let fraction = padded.parse::<u64>().ok()?.checked_mul(nano_of)? / 1_000_000_000;
    Some(whole.checked_add(fraction)? / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_told_in_thousandths() {
        assert_eq!(millicores("1804m"), Some(1804));
        assert_eq!(millicores("2"), Some(2000));
        assert_eq!(millicores("0.5"), Some(500));
        assert_eq!(millicores("1804000001n"), Some(1804));
        assert_eq!(millicores("500u"), Some(0));
        for text in ["", "m", "-1", "1.5.5", "x", "99999999999999999999"] {
            assert_eq!(millicores(text), None, "{text}");
        }
    }

    #[test]
    fn decimal_and_binary_units_are_told_apart() {
        assert_eq!(bytes("170Mi"), Some(178_257_920));
        assert_eq!(bytes("170M"), Some(170_000_000));
        assert_eq!(bytes("1024"), Some(1024));
        for text in ["", "Mi", "1.5Gi", "99999999999999Ti", "170mi"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
