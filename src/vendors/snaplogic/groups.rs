//! Who is in which group: access on a space may be held through one.

use super::{group_members, is_same_user};
use crate::access::Principal;
use crate::failure::Failure;
use crate::vendors::{VendorReader, fan_out};

/// Groups whose members one call reads.
const BUDGET: usize = 30;

/// What is known of one user's membership in some groups.
#[derive(Default)]
pub struct Memberships {
    /// They are a member.
    pub of: Vec<String>,
    /// They are none.
    pub not_of: Vec<String>,
    /// Whose members could not be read, or were not looked at.
    pub unread: Vec<String>,
    /// Why, where a vendor said.
    pub why: Option<Failure>,
}

/// Which of these groups a user is a member of. What cannot be read is said, and stops nothing.
pub async fn memberships(
    reader: &VendorReader<'_>,
    org: &str,
    user: &Principal,
    mut groups: Vec<String>,
) -> Memberships {
    let mut known = Memberships {
        unread: groups.split_off(BUDGET.min(groups.len())),
        ..Memberships::default()
    };
    let read = |group: String| async move { Ok((group_members(reader, org, &group).await, group)) };
    // Each read is answered for by itself, so that none of them fails the others.
    let Ok(fan_out) = fan_out::each("groups", groups, BUDGET, read).await else { return known };
    for (members, group) in fan_out.found {
        match members {
            Ok(members) if members.iter().any(|member| is_of(member, user)) => known.of.push(group),
            Ok(_) => known.not_of.push(group),
            Err(failure) => {
                known.unread.push(group);
                known.why.get_or_insert(failure);
            }
        }
    }
    known
}

/// Members are listed by user name or by address.
fn is_of(member: &str, user: &Principal) -> bool {
    let names = [Some(user.id.as_str()), user.email.as_deref()];
    names.into_iter().flatten().any(|name| is_same_user(member, name))
}

impl Memberships {
    pub fn knows(&self, group: &str) -> bool {
        [&self.of, &self.not_of, &self.unread].into_iter().flatten().any(|known| known == group)
    }

    pub fn add(&mut self, more: Self) {
        self.of.extend(more.of);
        self.not_of.extend(more.not_of);
        self.unread.extend(more.unread);
        self.why = self.why.take().or(more.why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_known_by_user_name_or_address_in_any_letter_case() {
        let email = Some("ada@example.com".to_owned());
        let ada = Principal::user("ada.l", Some("Ada".to_owned()), email);
        for (member, is) in [
            ("ada.l", true),
            ("ADA.L", true),
            ("Ada@Example.com", true),
            ("Ada", false),
            ("ada", false),
            ("", false),
        ] {
            assert_eq!(is_of(member, &ada), is, "{member:?}");
        }
    }
}
