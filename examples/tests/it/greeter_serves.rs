//! The greeter without faults: what its four methods answer, what its admin port shows, and that
//! it stops when it is asked to.

use std::time::Duration;

use chaos_examples::{
    Error,
    greeter::proto::{HelloReply, HelloRequest},
    running::RunningGreeter,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Status, Streaming};

async fn greeter() -> Result<RunningGreeter, Error> {
    RunningGreeter::start(env!("CARGO_BIN_EXE_greeter")).await
}

async fn all(replies: Streaming<HelloReply>) -> Result<Vec<String>, Status> {
    replies.map_ok(|reply| reply.message).try_collect().await
}

#[tokio::test]
async fn one_name_is_greeted() -> Result<(), Error> {
    let greeter = greeter().await?;
    let reply = greeter
        .client()
        .await?
        .say_hello(HelloRequest::from("Ada"))
        .await?;
    assert_eq!(reply.metadata().get("x-chaos-fault"), None);
    assert_eq!(reply.into_inner().message, "hello, Ada");
    Ok(())
}

#[tokio::test]
async fn a_countdown_comes_down() -> Result<(), Error> {
    let greeter = greeter().await?;
    let mut client = greeter.client().await?;
    for (name, replies) in [("3", 3), ("0", 0), ("", 5), ("Ada", 5), ("1000000", 100)] {
        let countdown = client
            .countdown(HelloRequest::from(name))
            .await?
            .into_inner();
        let expected: Vec<_> = (1..=replies).rev().map(|n: u32| n.to_string()).collect();
        assert_eq!(all(countdown).await?, expected, "{name:?}");
    }
    Ok(())
}

#[tokio::test]
async fn many_names_are_greeted_once() -> Result<(), Error> {
    let greeter = greeter().await?;
    let mut client = greeter.client().await?;
    let names = stream::iter(["Ada", "Grace", "Linus"]).map(HelloRequest::from);
    let reply = client.collect(names).await?.into_inner();
    assert_eq!(reply.message, "hello, Ada, Grace, Linus");

    let too_many = stream::repeat(HelloRequest::from("Ada")).take(1001);
    let refused = client
        .collect(too_many)
        .await
        .expect_err("there are bounds");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    Ok(())
}

#[tokio::test]
async fn a_chat_takes_turns() -> Result<(), Error> {
    let greeter = greeter().await?;
    let (say, said) = mpsc::channel(1);
    let said = stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let mut replies = greeter.client().await?.chat(said).await?.into_inner();
    for name in ["Ada", "Grace"] {
        say.send(HelloRequest::from(name)).await?;
        let reply = replies.message().await?.ok_or("an answer")?;
        assert_eq!(reply.message, format!("hello, {name}"));
    }
    drop(say);
    assert_eq!(replies.message().await?, None);
    Ok(())
}

#[tokio::test]
async fn its_admin_port_has_a_site_and_no_fault() -> Result<(), Error> {
    let greeter = greeter().await?;
    let status = greeter.admin.ask(Method::GET, "/v1/status", None).await?;
    assert_eq!(status["state"], "idle", "{status}");
    let rules = greeter.admin.ask(Method::GET, "/v1/rules", None).await?;
    assert_eq!(rules["rules"], json!([]));
    let sites = greeter.admin.ask(Method::GET, "/v1/sites", None).await?;
    let sites = sites["sites"].as_array().ok_or("a list of sites")?;
    let site = sites.iter().find(|site| site["name"] == "grpc.server");
    let site = site.ok_or("the site of the layer")?;
    assert_eq!(site["armed"], false, "{site}");
    assert_eq!(site["file"], "examples/src/greeter.rs", "{site}");
    Ok(())
}

#[tokio::test]
async fn asked_to_stop_it_ends_what_would_not_end_and_finishes_the_rest() -> Result<(), Error> {
    let mut greeter = greeter().await?;
    let mut client = greeter.client().await?;
    let silent = stream::pending();
    let mut chat = client.chat(silent).await?.into_inner();
    let mut countdown = client
        .countdown(HelloRequest::from("50"))
        .await?
        .into_inner();
    assert!(countdown.message().await?.is_some());
    greeter.program.terminate().await?;

    let goodbye = chat
        .message()
        .await
        .expect_err("it does not wait for names");
    assert_eq!(goodbye.code(), Code::Unavailable, "{goodbye}");
    assert_eq!(all(countdown).await?.len(), 49);
    // The client's connection, idle now, does not keep it.
    let status = timeout(Duration::from_secs(4), greeter.program.ended()).await??;
    assert!(status.success(), "{status}");
    assert!(client.say_hello(HelloRequest::from("Ada")).await.is_err());
    Ok(())
}
