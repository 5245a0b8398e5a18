//! Who gets which connection.

use super::*;

/// A connection of the home, idle or (named so) opened.
async fn take(homes: &Homes<&'static str>, home: HomeId) -> (&'static str, Slot<&'static str>) {
    match homes.take(home).await.unwrap() {
        Turn::Idle(connection, _, slot) => (connection, slot),
        Turn::Open(slot) => ("new", slot),
    }
}

fn counts(homes: &Homes<&'static str>) -> (usize, usize, Option<usize>) {
    let status = homes.status();
    (status.connections, status.idle, status.waiters)
}

#[tokio::test]
async fn each_home_gets_its_own_and_the_one_used_last() {
    let homes = Homes::new(4);
    let (_, first) = take(&homes, 1).await;
    let (_, second) = take(&homes, 1).await;
    first.put_back("first");
    second.put_back("second");
    let (name, other) = take(&homes, 2).await;
    assert_eq!((name, counts(&homes)), ("new", (3, 2, Some(0))));
    let (name, second) = take(&homes, 1).await;
    assert_eq!(name, "second");
    drop((second, other));
    assert_eq!(counts(&homes), (1, 1, Some(0)));
}

#[tokio::test]
async fn a_home_without_any_takes_the_room_of_anothers_idle_one() {
    let homes = Homes::new(2);
    let (_, first) = take(&homes, 1).await;
    let (_, second) = take(&homes, 1).await;
    first.put_back("first");
    second.put_back("second");
    let (name, one) = take(&homes, 2).await;
    assert_eq!((name, counts(&homes)), ("new", (2, 1, Some(0))));
    // With one of its own it waits a moment for that.
    let (name, two) = take(&homes, 2).await;
    assert_eq!((name, counts(&homes)), ("new", (2, 0, Some(0))));
    one.put_back("one");
    two.put_back("two");
    assert_eq!(counts(&homes), (2, 2, Some(0)));
}

#[tokio::test]
async fn who_waits_gets_what_comes_back_in_turn() {
    let homes = Homes::new(1);
    let (_, slot) = take(&homes, 1).await;
    let mut own = Box::pin(take(&homes, 1));
    assert!(futures_util::poll!(&mut own).is_pending());
    let mut other = Box::pin(take(&homes, 2));
    assert!(futures_util::poll!(&mut other).is_pending());
    let mut gone = Box::pin(take(&homes, 1));
    assert!(futures_util::poll!(&mut gone).is_pending());
    assert_eq!(counts(&homes), (1, 0, Some(3)));
    drop(gone);
    slot.put_back("used");
    let (name, slot) = own.await;
    assert_eq!(name, "used");
    // Nobody else of the home is there, so that the other home has its turn.
    slot.put_back("used");
    let (name, slot) = other.await;
    assert_eq!((name, counts(&homes)), ("new", (1, 0, Some(0))));
    // One that breaks makes room for another.
    let mut next = Box::pin(take(&homes, 1));
    assert!(futures_util::poll!(&mut next).is_pending());
    drop(slot);
    assert_eq!(next.await.0, "new");
}

#[tokio::test]
async fn a_turn_that_nobody_takes_is_not_lost() {
    let homes = Homes::new(1);
    let (_, slot) = take(&homes, 1).await;
    let mut waiting = Box::pin(take(&homes, 1));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    slot.put_back("used");
    drop(waiting);
    assert_eq!(counts(&homes), (0, 0, Some(0)));
    assert_eq!(take(&homes, 2).await.0, "new");
}

#[tokio::test]
async fn closing_ends_all_waiting() {
    let homes = Homes::new(1);
    let (_, slot) = take(&homes, 1).await;
    let mut waiting = Box::pin(homes.take(2));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    homes.close();
    assert!(waiting.await.is_err() && homes.take(1).await.is_err());
    slot.put_back("used");
    assert_eq!(counts(&homes), (0, 0, Some(0)));
}

#[tokio::test]
async fn what_is_forgotten_makes_room() {
    let homes = Homes::new(2);
    let (_, first) = take(&homes, 1).await;
    let (_, second) = take(&homes, 1).await;
    first.put_back("first");
    homes.forget_idle();
    assert_eq!(counts(&homes), (1, 0, Some(0)));
    assert_eq!(take(&homes, 1).await.0, "new");
    drop(second);
}
