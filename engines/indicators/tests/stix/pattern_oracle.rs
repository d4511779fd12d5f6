//! Patterns against the definition itself: every choice of observations and moments is tried.

use indicators::pattern::{
    Budget, Comparison, Expression, Literal, Observation, Observed, Operator, Outcome, Path,
    Pattern, PropertyTest, Step, eval, parse,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What was seen: value, first and last moment, number.
type Seen = (i64, i64, i64, u32);

/// One way to meet an expression: instances used, as observation and copy, and their moments.
type Way = Vec<((usize, u32), i64)>;

fn ways(expression: &Expression, seen: &[Seen], span: (i64, i64)) -> Vec<Way> {
    let join = |parts: &[Expression], ordered: bool| {
        let mut all: Vec<Way> = vec![Vec::new()];
        for part in parts {
            let next = ways(part, seen, span);
            all = joined(&all, &next, ordered);
        }
        all
    };
    match expression {
        Expression::Test(test) => {
            let wanted = wanted(test);
            let mut all = Vec::new();
            for (at, (value, first, last, number)) in seen.iter().enumerate() {
                for copy in (0..*number).filter(|_| wanted.contains(value)) {
                    let moments = (*first..=*last).filter(|t| (span.0..span.1).contains(t));
                    all.extend(moments.map(|t| vec![((at, copy), t)]));
                }
            }
            all
        }
        Expression::And(parts) => join(parts, false),
        Expression::FollowedBy(parts) => join(parts, true),
        Expression::Or(parts) => parts.iter().flat_map(|part| ways(part, seen, span)).collect(),
        Expression::Repeats(inner, times) => {
            let one = ways(inner, seen, span);
            (0..*times).fold(vec![Vec::new()], |all, _| joined(&all, &one, false))
        }
        Expression::Within(inner, micros) => {
            let mut all = ways(inner, seen, span);
            all.retain(|way| {
                let moments = || way.iter().map(|(_, t)| *t);
                moments().max().unwrap_or(0) - moments().min().unwrap_or(0) <= *micros
            });
            all
        }
        Expression::StartStop(inner, start, stop) => {
            ways(inner, seen, (span.0.max(*start), span.1.min(*stop)))
        }
    }
}

fn joined(left: &[Way], right: &[Way], ordered: bool) -> Vec<Way> {
    let mut all = Vec::new();
    for a in left {
        for b in right {
            let shared = a.iter().any(|(i, _)| b.iter().any(|(j, _)| i == j));
            let late = ordered && a.iter().any(|(_, s)| b.iter().any(|(_, t)| s > t));
            if !shared && !late {
                all.push([a.as_slice(), b.as_slice()].concat());
            }
        }
    }
    all
}

fn wanted(comparison: &Comparison) -> Vec<i64> {
    match comparison {
        Comparison::Test(PropertyTest { operator: Operator::In(values), .. }) => values
            .iter()
            .map(|v| match v {
                Literal::Integer(n) => *n as i64,
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn test(values: Vec<i64>) -> Expression {
    Expression::Test(Comparison::Test(PropertyTest {
        path: Path { object: "x".into(), steps: vec![Step::Key("a".into())] },
        negated: false,
        operator: Operator::In(values.into_iter().map(|n| Literal::Integer(n.into())).collect()),
    }))
}

/// Expressions of at most four tests, so that every way can be tried.
fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop::collection::vec(0..3_i64, 1..3).prop_map(test);
    leaf.prop_recursive(3, 4, 2, |inner| {
        let pair = prop::collection::vec(inner.clone(), 2..3);
        prop_oneof![
            pair.clone().prop_map(Expression::And),
            pair.clone().prop_map(Expression::Or),
            pair.prop_map(Expression::FollowedBy),
            (inner.clone(), 1..6_i64).prop_map(|(e, t)| Expression::Within(Box::new(e), t)),
            (inner.clone(), 0..6_i64, 1..5_i64).prop_map(
                |(e, from, length)| Expression::StartStop(Box::new(e), from, from + length)
            ),
            (inner, 2..3_u32).prop_map(|(e, times)| Expression::Repeats(Box::new(e), times)),
        ]
    })
}

fn tests(expression: &Expression) -> u32 {
    match expression {
        Expression::Test(_) => 1,
        Expression::And(parts) | Expression::Or(parts) | Expression::FollowedBy(parts) => {
            parts.iter().map(tests).sum()
        }
        Expression::Repeats(inner, times) => tests(inner) * times,
        Expression::Within(inner, _) | Expression::StartStop(inner, ..) => tests(inner),
    }
}

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (0..3_i64, 0..8_i64, 0..3_i64, 1..3_u32);
    prop::collection::vec(one.prop_map(|(v, first, length, n)| (v, first, first + length, n)), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn a_pattern_matches_if_and_only_if_some_choice_does(root in expression(), seen in seen()) {
        prop_assume!(tests(&root) <= 4);
        let expected = !ways(&root, &seen, (i64::MIN, i64::MAX)).is_empty();
        let objects: Vec<Value> = seen.iter().map(|s| json!({"type": "x", "a": s.0})).collect();
        let observations: Vec<Observation<'_>> = seen
            .iter()
            .zip(&objects)
            .map(|(&(_, first, last, number), object)| {
                Observation::new(Observed { id: "", first, last, number }, vec![object])
            })
            .collect();
        let pattern = Pattern { root };
        let outcome = eval(&pattern, &observations, Budget::default());
        match (&outcome, expected) {
            (Outcome::True(found), true) => {
                // What is told to match does so alone.
                let kept: Vec<_> = found.iter().map(|at| observations[*at].clone()).collect();
                prop_assert!(matches!(eval(&pattern, &kept, Budget::default()), Outcome::True(_)));
            }
            (Outcome::False, false) => {}
            _ => prop_assert!(false, "{} says {:?}, the definition {}", pattern, outcome, expected),
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same(root in expression()) {
        let pattern = Pattern { root };
        prop_assert_eq!(parse(&pattern.to_string()), Ok(pattern));
    }

    #[test]
    fn values_print_to_what_they_were(
        text in any::<String>(), number in any::<i64>(), float in -1e30..1e30_f64,
        bytes in prop::collection::vec(any::<u8>(), 0..9), micros in 0..253_402_300_799_999_999_i64,
        key in any::<String>(), index in any::<i64>(),
    ) {
        for literal in [
            Literal::Text(text.clone()), Literal::Integer(number.into()), Literal::Float(float),
            Literal::Bytes(bytes.clone()), Literal::Time(micros), Literal::Bool(true),
        ] {
            let path = Path {
                object: "x-y".into(),
                steps: vec![Step::Key(key.clone()), Step::Index(index), Step::Any, Step::Key("NOT".into())],
            };
            let operator = Operator::NotEqual(literal);
            let test = Comparison::Test(PropertyTest { path, negated: true, operator });
            let pattern = Pattern { root: Expression::Test(test) };
            prop_assert_eq!(parse(&pattern.to_string()), Ok(pattern));
        }
    }

    #[test]
    fn no_text_makes_the_parser_fall(text in r"[\[\]():.='\\ a-zA-Z0-9*<>!,/+-]{0,60}") {
        if let Ok(pattern) = parse(&text) {
            prop_assert_eq!(parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
