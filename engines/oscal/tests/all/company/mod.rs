//! A small fictional company, as every export wants it.

use oscal::{
    Document, Uuid,
    export::{self, *},
};

pub fn about(title_ja: &str, title_en: &str, tongue: Tongue) -> About {
    let party = |id: &str, name: &str, organisation| Party {
        id: id.into(),
        name: name.into(),
        organisation,
    };
    About {
        namespace: Uuid::parse_str("6f0c7a52-3c39-5b0e-9d4e-5a1f0c1d2e3f").unwrap(),
        vocabulary: "https://ume.example/ns/oscal".into(),
        tongue,
        title: Words::new(title_ja, title_en),
        version: "2026.11".into(),
        last_modified: "2026-11-28T09:00:00+09:00".into(),
        publisher: "org".into(),
        parties: vec![
            party("org", "架空製作所", true),
            party("cloud", "雲井クラウド", true),
            party("sato", "佐藤 花", false),
            party("suzuki", "鈴木 実", false),
        ],
    }
}

fn words(ja: &str, en: &str) -> Words {
    Words::new(ja, en)
}

pub fn groups() -> Vec<Group> {
    let control = |label: &str, ja: &str, en: &str| Control {
        id: format!("a.{label}"),
        label: label.into(),
        title: words(ja, en),
        statement: words(
            &format!("{ja}について決め、守る。"),
            &format!("Decide on {en} and keep to it."),
        ),
        props: vec![("new-in-2022".into(), "yes".into())],
        objectives: vec![Objective {
            id: format!("a.{label}_obj.ume-1"),
            level: Some("ume".into()),
            text: words("一件以上の記録がある。", "There is at least one record."),
        }],
    };
    vec![
        Group {
            id: "organizational".into(),
            title: words("組織的管理策", "Organizational controls"),
            controls: vec![
                control("5.7", "脅威インテリジェンス", "Threat intelligence"),
                control("5.23", "クラウドサービスの利用における情報セキュリティ", "Cloud services"),
                control("5.30", "事業継続のためのICTの備え", "ICT readiness"),
            ],
        },
        Group {
            id: "technological".into(),
            title: words("技術的管理策", "Technological controls"),
            controls: vec![control("8.28", "セキュリティに配慮したコーディング", "Secure coding")],
        },
    ]
}

pub fn statement() -> Statement {
    let row = |control: &str, status, sharing| Row {
        control: control.into(),
        status,
        level: Some("ume".into()),
        drivers: vec![
            Driver { kind: "risk".into(), text: "R-7".into() },
            Driver { kind: "law".into(), text: "個人情報保護法 第23条".into() },
        ],
        owner: Some("sato".into()),
        description: words("台帳と手順で運用している。", "Run by register and procedure."),
        remarks: words("次は竹を目指す。", "Take is next."),
        sharing,
        provides: Vec::new(),
        exclusion: None,
        evidence: vec![Evidence {
            id: format!("rec-{control}"),
            title: words("月次の記録", "Monthly record"),
            href: Some(format!("https://ume.example/records/{control}")),
            sha256: Some("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".into()),
            observed: Some("2026-11-20T00:00:00Z".into()),
        }],
        props: Vec::new(),
    };
    let inherited = |provided| Inherited {
        description: words("基盤の監視は事業者が行う。", "The provider watches the platform."),
        provided,
    };
    let mut readiness = row(
        "a.5.30",
        Status::Implemented,
        Sharing::Inherited { provider: "cloud".into(), inherited: inherited(None) },
    );
    readiness.provides = vec![Provided {
        id: "restore".into(),
        description: words("子会社へ復旧手順を提供する。", "Restore procedure for subsidiaries."),
        responsibilities: vec![Responsibility {
            id: "restore-drill".into(),
            description: words("年1回、訓練する。", "Drill once a year."),
        }],
    }];
    let mut coding = row("a.8.28", Status::NotApplicable, Sharing::Own);
    coding.level = None;
    coding.description = Words::default();
    coding.evidence = Vec::new();
    coding.exclusion = Some(Exclusion {
        reason: words("自社で開発しない。", "No development in house."),
        approver: Some("suzuki".into()),
        expires: Some("2027-03-31".into()),
    });
    let shared = Sharing::Shared {
        provider: "cloud".into(),
        inherited: inherited(Some(
            Uuid::parse_str("11111111-1111-4111-8111-111111111111").unwrap(),
        )),
        satisfied: Satisfied {
            description: words("権限は自社で見直す。", "We review permissions ourselves."),
            responsibility: None,
        },
    };
    Statement {
        id: "soa".into(),
        profile: "profile.json".into(),
        system: System {
            id: "isms".into(),
            name: words("架空製作所のISMS", "ISMS of the company"),
            description: words(
                "全社の情報セキュリティマネジメントシステム。",
                "The company's ISMS.",
            ),
            boundary: words("本社と二つの工場。", "Head office and two factories."),
            information: vec![Information {
                id: "drawings".into(),
                title: words("設計図", "Drawings"),
                description: words(
                    "製品の図面と仕様。",
                    "Drawings and specifications of products.",
                ),
            }],
        },
        providers: vec![Provider {
            id: "cloud".into(),
            title: words("雲井クラウド", "Kumoi Cloud"),
            description: words("業務基盤。", "Business platform."),
            party: "cloud".into(),
            since: "2024-04-01".into(),
        }],
        rows: vec![
            row("a.5.7", Status::Implemented, Sharing::Own),
            row("a.5.23", Status::Partial, shared),
            readiness,
            coding,
        ],
    }
}

fn task(id: &str, activities: &[&str]) -> Task {
    Task {
        id: id.into(),
        title: words("手順を直す", "Mend the procedure"),
        description: words("抜けていた確認を加える。", "Add the missing check."),
        due: Some("2026-12-31T17:00:00+09:00".into()),
        owner: Some("suzuki".into()),
        activities: activities.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn risks() -> Vec<Risk> {
    let rating = |name: &str, value: &str| Rating { name: name.into(), value: value.into() };
    vec![Risk {
        id: "r-7".into(),
        title: words("未知のクラウド利用", "Unknown cloud use"),
        description: words(
            "台帳にないサービスへ図面が置かれる。",
            "Drawings end up in unregistered services.",
        ),
        statement: words("図面が漏れ、受注を失う。", "Drawings leak and orders are lost."),
        state: RiskState::Remediating,
        deadline: Some("2027-03-31T00:00:00+09:00".into()),
        ratings: vec![rating("inherent", "12"), rating("current", "6"), rating("target", "3")],
        treatment: words("低減する。", "Reduce."),
        tasks: vec![task("t-1", &[])],
    }]
}

pub fn plan() -> Plan {
    let activity = |control: &str, assurance| Activity {
        id: format!("{control}/ume-1"),
        title: words("記録の有無を見る", "Look for records"),
        description: words(
            "一件以上の記録があるかを見る。",
            "See whether there is at least one record.",
        ),
        assurance,
        controls: vec![control.into()],
    };
    Plan {
        id: "ap".into(),
        plan: "system-security-plan.json".into(),
        activities: vec![
            activity("a.5.7", Assurance::Machine),
            activity("a.5.23", Assurance::Attested),
        ],
        tasks: vec![task("run", &["a.5.7/ume-1", "a.5.23/ume-1"])],
    }
}

pub fn results() -> Results {
    let verdict = |control: &str, outcome, assurance, risks: &[&str]| Verdict {
        id: format!("{control}/ume-1/2026-11-28"),
        control: control.into(),
        objective: (control != "a.8.28").then(|| format!("{control}_obj.ume-1")),
        title: words("記録がある", "There are records"),
        outcome,
        reason: words("最新の記録は8日前。", "The newest record is eight days old."),
        assurance,
        collected: "2026-11-28T09:00:00+09:00".into(),
        valid_until: Some("2027-02-26T09:00:00+09:00".into()),
        evidence: statement().rows[0].evidence.clone(),
        risks: risks.iter().map(|id| (*id).to_owned()).collect(),
    };
    Results {
        id: "ar".into(),
        plan: "assessment-plan.json".into(),
        title: words("2026年11月28日の判定", "Verdicts of 2026-11-28"),
        description: words("すべての基準の判定。", "Verdicts on all criteria."),
        start: "2026-11-28T09:00:00+09:00".into(),
        end: Some("2026-11-28T09:00:02+09:00".into()),
        verdicts: vec![
            verdict("a.5.7", Outcome::Pass, Assurance::Machine, &[]),
            verdict("a.5.23", Outcome::Stale, Assurance::Attested, &["r-7"]),
            verdict("a.5.30", Outcome::Fail, Assurance::Imported, &["r-7"]),
            verdict("a.8.28", Outcome::Excluded, Assurance::Attested, &[]),
        ],
        risks: risks(),
    }
}

pub fn gaps() -> Gaps {
    Gaps {
        id: "poam".into(),
        plan: "system-security-plan.json".into(),
        system: "isms".into(),
        risks: risks(),
        gaps: vec![Gap {
            id: "a.5.23/ume-1".into(),
            control: "a.5.23".into(),
            title: words("クラウド台帳が古い", "The cloud register is stale"),
            description: words("90日以上見直していない。", "Not reviewed for more than 90 days."),
            risks: vec!["r-7".into()],
        }],
    }
}

/// Every export, with the name of its file.
pub fn exports(tongue: Tongue) -> Vec<(&'static str, Document)> {
    let about = |ja, en| about(ja, en, tongue);
    let selected = ["a.5.7", "a.5.23", "a.5.30", "a.8.28"].map(str::to_owned);
    let rooms = [Component {
        id: "threat_intelligence".into(),
        kind: "software".into(),
        title: words("脅威インテリジェンスの部屋", "Room for threat intelligence"),
        description: words(
            "脅威情報を集め、役立てる。",
            "Collects threat information and puts it to use.",
        ),
        requirements: vec![Requirement {
            control: "a.5.7".into(),
            description: words("情報源を毎日読む。", "Reads its sources daily."),
            props: vec![("level".into(), "matsu".into())],
        }],
    }];
    let whole = [Capability {
        id: "ume".into(),
        name: words("梅", "Ume"),
        description: words("十一の新規管理策を回す。", "Runs the eleven new controls."),
        components: vec![("threat_intelligence".into(), words("5.7を担う。", "Does 5.7."))],
    }];
    let made = [
        ("catalog", catalog(&about("管理策一覧", "Controls"), "iso27001-2022", &groups())),
        (
            "profile",
            profile(&about("選んだ管理策", "Selected controls"), "soa", "catalog.json", &selected),
        ),
        (
            "component-definition",
            component_definition(
                &about("梅の部屋", "Rooms of Ume"),
                "rooms",
                "catalog.json",
                &rooms,
                &whole,
            ),
        ),
        (
            "system-security-plan",
            system_security_plan(&about("適用宣言書", "Statement of Applicability"), &statement()),
        ),
        (
            "assessment-plan",
            export::assessment_plan(&about("評価計画", "Assessment plan"), &plan()),
        ),
        (
            "assessment-results",
            assessment_results(&about("評価結果", "Assessment results"), &results()),
        ),
        (
            "plan-of-action-and-milestones",
            plan_of_action(&about("対応計画", "Plan of action"), &gaps()),
        ),
    ];
    made.map(|(name, made)| (name, made.unwrap_or_else(|e| panic!("{name}: {e}")))).into()
}
