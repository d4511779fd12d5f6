//! What a sender hears, in its own encoding. Pure.

use serde_json::json;

use super::{Coding, Signal, metrics::NO_RECORDED, wire};

/// Records were taken; those that were not are told with why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub rejected: u64,
    pub why: String,
}

impl Answer {
    /// Of what was refused. What no sender can mend is not told.
    pub fn of<'a>(refused: impl Iterator<Item = (&'a str, u64)>) -> Answer {
        let told = refused.filter(|(reason, _)| *reason != NO_RECORDED);
        let (mut rejected, mut why) = (0, Vec::new());
        for (reason, count) in told {
            rejected += count;
            why.push(format!("{reason}: {count}"));
        }
        Answer { rejected, why: why.join(", ") }
    }

    /// The body of the answer.
    pub fn body(&self, signal: Signal, coding: Coding) -> Vec<u8> {
        match coding {
            Coding::Protobuf if self.rejected == 0 => Vec::new(),
            Coding::Json if self.rejected == 0 => b"{}".to_vec(),
            Coding::Protobuf => {
                let (mut partial, mut out) = (Vec::new(), Vec::new());
                wire::put_number(&mut partial, 1, self.rejected);
                wire::put_bytes(&mut partial, 2, self.why.as_bytes());
                wire::put_bytes(&mut out, 1, &partial);
                out
            }
            Coding::Json => {
                let name = match signal {
                    Signal::Logs => "rejectedLogRecords",
                    Signal::Metrics => "rejectedDataPoints",
                };
                let rejected = self.rejected.to_string();
                let partial = json!({ name: rejected, "errorMessage": self.why });
                json!({ "partialSuccess": partial }).to_string().into_bytes()
            }
        }
    }
}

/// Nothing was taken: a `google.rpc.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A code of gRPC.
    pub code: u32,
    pub text: &'static str,
    /// Seconds after which the same may be sent again; without them it must not be.
    pub retry_s: Option<u32>,
}

impl Problem {
    pub fn body(&self, coding: Coding) -> Vec<u8> {
        match coding {
            Coding::Json => {
                json!({ "code": self.code, "message": self.text }).to_string().into_bytes()
            }
            Coding::Protobuf => self.status(),
        }
    }

    /// The status with how long to wait, as `grpc-status-details-bin` has it.
    pub fn status(&self) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_number(&mut out, 1, self.code.into());
        wire::put_bytes(&mut out, 2, self.text.as_bytes());
        if let Some(seconds) = self.retry_s {
            let (mut delay, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
            wire::put_number(&mut delay, 1, seconds.into());
            wire::put_bytes(&mut info, 1, &delay);
            wire::put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            wire::put_bytes(&mut any, 2, &info);
            wire::put_bytes(&mut out, 3, &any);
        }
        out
    }
}
