//! The people of Harbor, a small company: the same ones at all five vendors.

/// One person, with the id each vendor knows them by.
pub(super) struct Person {
    pub name: &'static str,
    pub email: &'static str,
    /// False for one who has left.
    pub active: bool,
    pub outsystems: &'static str,
    pub dfns: &'static str,
    pub redox: &'static str,
    pub centrasite: &'static str,
}

const fn person(
    name: &'static str,
    email: &'static str,
    ids: [&'static str; 4],
    active: bool,
) -> Person {
    let [outsystems, dfns, redox, centrasite] = ids;
    Person { name, email, active, outsystems, dfns, redox, centrasite }
}

/// The newcomer: holds little anywhere, so is easy to grant to.
pub(super) const SAM: Person = person(
    "Sam Rivera",
    "user@example.com",
    [
        "bdd640fb-0667-4ad1-9c80-317fa3b1799d",
        "us-rpoig-8f1cb-fno6b9m80o2rak1v",
        "f50bea63-371e-4d7b-a7cd-813047229389",
        r"HARBOR\srivera",
    ],
    true,
);
/// Shares a name with the next one.
pub(super) const ALEX: Person = person(
    "Alex Kim",
    "alex.kim@example.com",
    [
        "17be3111-1a2a-43ed-962b-0f79c37459ee",
        "us-ygwwq-c38hy-f9sxmecosfogyr3x",
        "35a240ae-5af3-4553-9ec4-2e0829a3b2e9",
        r"HARBOR\akim",
    ],
    true,
);
pub(super) const ALEX_TOO: Person = person(
    "Alex Kim",
    "a.kim@example.com",
    [
        "efc89849-b3aa-4efe-8458-a885ab9099a4",
        "us-ek8pk-3yr9o-udocuzrenun5z3jq",
        "8fb5d27b-beb7-4919-bf22-faf823bed01d",
        r"HARBOR\akim2",
    ],
    true,
);
/// Administers everything; the other Redox owner.
pub(super) const PRIYA: Person = person(
    "Priya Raman",
    "priya.raman@example.com",
    [
        "95a76d79-bf3c-4c06-8343-08bc89fa6a68",
        "us-1zxoi-65fdh-jk1eyy37q9ah8rvh",
        "74273ca3-287d-46ca-af4c-c69a4b22d308",
        r"HARBOR\praman",
    ],
    true,
);
pub(super) const MARTA: Person = person(
    "Marta Lindqvist",
    "marta.lindqvist@example.com",
    [
        "e037e5ed-b8db-4672-b42d-47cc00d4af59",
        "us-q6l6g-t6mjx-k87au5bhxtpdpff5",
        "c2b6d2c5-fa5d-4100-91b7-e948d0e6e660",
        r"HARBOR\mlindqvist",
    ],
    true,
);
/// Not spelt in ASCII.
pub(super) const TOMAS: Person = person(
    "Tomás Ferreira",
    "tomas.ferreira@example.com",
    [
        "20de435d-2031-4750-840d-b9b4885f6e66",
        "us-49kq7-1n8mt-zx272hpoevb9ooae",
        "3a9bedd4-0f12-49e0-a18f-f6b6b535106e",
        r"HARBOR\tferreira",
    ],
    true,
);
pub(super) const JONAS: Person = person(
    "Jonas Weber",
    "jonas.weber@example.com",
    [
        "dc1110c1-080a-4dfb-a7c9-9b26114125c6",
        "us-ve6pr-5n8i4-p40mgg1w103dgdzv",
        "3fa7f104-1bf9-4e27-9c96-925eccf3a171",
        r"HARBOR\jweber",
    ],
    true,
);
pub(super) const GRACE: Person = person(
    "Grace Okafor",
    "grace.okafor@example.com",
    [
        "72d8567d-894a-45e4-b0b1-87ef310c0c00",
        "us-i1lr3-pe29g-d8afpk054nzdkyay",
        "c8fe3ccd-c8b8-49c6-ad30-49cf43e458fc",
        r"HARBOR\gokafor",
    ],
    true,
);
pub(super) const HIRO: Person = person(
    "Hiro Tanaka",
    "hiro.tanaka@example.com",
    [
        "b253d218-6c4a-47ea-8906-17f2747b6dba",
        "us-95jms-nd8du-dd467kd6fleepzhp",
        "9e8fc965-0a2c-427e-9832-685694340a03",
        r"HARBOR\htanaka",
    ],
    true,
);
/// Has left.
pub(super) const LENA: Person = person(
    "Lena Novak",
    "lena.novak@example.com",
    [
        "956b8c0c-a849-4b92-ab52-52e314fcdd54",
        "us-7uqnu-pqzit-3uea3ge8n6qiwepx",
        "d5704f32-702c-4d20-a862-18b848f4ef12",
        r"HARBOR\lnovak",
    ],
    false,
);
/// Not a person: who the client's own credentials act as.
pub(super) const GRANTOR: Person = person(
    "Grantor Integration",
    "grantor@example.com",
    [
        "9c96e9ec-4d71-4366-b41b-31438b10550c",
        "us-7a9tg-iqhg9-jrsnvnq65qdf1rca",
        "a319dcb4-217d-45a0-8568-11cd5563f616",
        r"HARBOR\grantor",
    ],
    true,
);

/// Everybody but the integration.
pub(super) const PEOPLE: [Person; 10] =
    [SAM, ALEX, ALEX_TOO, PRIYA, MARTA, TOMAS, JONAS, GRACE, HIRO, LENA];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_are_nobody_elses() {
        let everybody = || PEOPLE.into_iter().chain([GRANTOR]);
        for id in [
            |person: &Person| person.email,
            |person: &Person| person.outsystems,
            |person: &Person| person.dfns,
            |person: &Person| person.redox,
            |person: &Person| person.centrasite,
        ] {
            let ids: std::collections::HashSet<_> = everybody().map(|person| id(&person)).collect();
            assert_eq!(ids.len(), everybody().count());
        }
    }
}
