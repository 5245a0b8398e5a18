//! Permissions as values: a use case asks for `&Authorized<P>`, and the only way to one
//! is [`Principal::authorize`], so a forgotten check does not compile.

use crate::account::{Role, UserId, Username};
use crate::session::SessionId;

/// Who makes a request, after authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub username: Username,
    /// What the user may do.
    pub role: Role,
    /// The session of the access token; `None` for an API key or a password.
    pub session: Option<SessionId>,
}

impl Principal {
    /// Proves that this principal has a permission.
    ///
    /// # Errors
    /// [`Denied`] when it has not.
    pub fn authorize<P: Permission>(&self, permission: P) -> Result<Authorized<P>, Denied> {
        if permission.allows(self) {
            Ok(Authorized {
                principal: self.clone(),
                permission,
            })
        } else {
            Err(Denied)
        }
    }

    /// Whether this is an administrator.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// The principal lacks a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("You are not allowed to do this")]
pub struct Denied;

/// A right that a principal has or has not.
pub trait Permission: Send + Sync + 'static {
    /// Whether `principal` has it.
    fn allows(&self, principal: &Principal) -> bool;
}

/// Proof that a principal has the permission `P`.
#[derive(Debug, Clone)]
pub struct Authorized<P> {
    principal: Principal,
    permission: P,
}

impl<P> Authorized<P> {
    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What was allowed.
    pub fn permission(&self) -> &P {
        &self.permission
    }
}

/// Any user who is signed in.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignedIn;

impl Permission for SignedIn {
    fn allows(&self, _: &Principal) -> bool {
        true
    }
}

/// Administrators: users, versions, databases, tables and their rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Administer;

impl Permission for Administer {
    fn allows(&self, principal: &Principal) -> bool {
        principal.is_admin()
    }
}

/// Administrators, and the user in question.
#[derive(Debug, Clone, Copy)]
pub struct AdminOrSelf(pub UserId);

impl Permission for AdminOrSelf {
    fn allows(&self, principal: &Principal) -> bool {
        principal.is_admin() || principal.user == self.0
    }
}

/// Reading gateway databases: every signed-in user.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadRows;

impl Permission for ReadRows {
    fn allows(&self, _: &Principal) -> bool {
        true
    }
}

/// Writing rows of gateway databases: administrators.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteRows;

impl Permission for WriteRows {
    fn allows(&self, principal: &Principal) -> bool {
        principal.is_admin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: i64, role: Role) -> Principal {
        Principal {
            user: UserId(id),
            username: Username::parse("someone").unwrap(),
            role,
            session: None,
        }
    }

    #[test]
    fn a_user_may_change_only_themselves() {
        let user = principal(7, Role::User);
        assert!(user.authorize(AdminOrSelf(UserId(7))).is_ok());
        assert!(user.authorize(AdminOrSelf(UserId(8))).is_err());
        assert!(user.authorize(Administer).is_err());
        assert!(user.authorize(WriteRows).is_err());
        assert!(user.authorize(ReadRows).is_ok());
        assert!(
            principal(1, Role::Admin)
                .authorize(AdminOrSelf(UserId(8)))
                .is_ok()
        );
    }
}
