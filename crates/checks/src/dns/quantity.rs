//! Quantities as Kubernetes writes them.

/// What a quantity of memory is in bytes, as `170Mi`; `None` for what is none. Fractions and exponents are not written for memory.
pub(super) fn bytes(text: &str) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
