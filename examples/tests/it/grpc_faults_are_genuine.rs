//! What a fault makes of a gRPC call is a status as any server would send it: the code and the
//! message that were asked for, on every kind of method, and the rule in `x-chaos-fault`.

use std::time::Duration;

use chaos_core::Clock;
use chaos_examples::{
    Error,
    greeter::proto::{HelloRequest, greeter_client::GreeterClient},
    running::RunningGreeter,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, transport::Channel};

async fn greeter() -> Result<(RunningGreeter, GreeterClient<Channel>), Error> {
    let greeter = RunningGreeter::start(env!("CARGO_BIN_EXE_greeter")).await?;
    let client = greeter.client().await?;
    Ok((greeter, client))
}

async fn aim(greeter: &RunningGreeter, fault: Value) -> Result<(), Error> {
    let rule = json!({ "site": "grpc.server", "faults": [ fault ] });
    greeter.admin.put_rule("aimed", &rule).await
}

fn ada() -> HelloRequest {
    HelloRequest::from("Ada")
}

/// The status of a call that a rule has answered.
async fn refused(client: &mut GreeterClient<Channel>) -> Result<Status, Error> {
    match client.say_hello(ada()).await {
        Ok(reply) => Err(format!("it was served: {reply:?}").into()),
        Err(status) => Ok(status),
    }
}

fn rule_of(status: &Status) -> Option<&str> {
    status.metadata().get("x-chaos-fault")?.to_str().ok()
}

#[tokio::test]
async fn every_kind_of_method_gets_the_status() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    aim(
        &greeter,
        json!({ "grpc": { "code": 8, "message": "no more" } }),
    )
    .await?;
    let names = || stream::iter([ada()]);
    let statuses = [
        client.say_hello(ada()).await.err(),
        client.countdown(ada()).await.err(),
        client.collect(names()).await.err(),
        client.chat(names()).await.err(),
    ];
    for status in statuses {
        let status = status.ok_or("it was served")?;
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "no more");
        assert_eq!(rule_of(&status), Some("aimed"));
    }
    assert_eq!(greeter.admin.injections("aimed").await?, 4);

    greeter.admin.halt().await?;
    let reply = client.say_hello(ada()).await?;
    assert_eq!(reply.metadata().get("x-chaos-fault"), None);
    Ok(())
}

#[tokio::test]
async fn every_code_arrives_by_name_and_by_number() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    let names = "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS \
                 PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE \
                 UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED";
    for (number, name) in (1..).zip(names.split(' ')) {
        for code in [json!(name), json!(number)] {
            aim(&greeter, json!({ "grpc": code })).await?;
            let status = refused(&mut client).await?;
            assert_eq!(status.code(), Code::from_i32(number), "{name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn any_message_arrives_as_it_was_written() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    for message in [
        "",
        "out of stock",
        "100 % sure, %41 is no A, %zz is nothing, and 5%",
        "größer als ☂, до свидания, 再見 🫖",
        " two\nlines\tand\0more\u{7f} ",
    ] {
        let fault = json!({ "grpc": { "code": "ABORTED", "message": message } });
        aim(&greeter, fault).await?;
        let status = refused(&mut client).await?;
        assert_eq!((status.code(), status.message()), (Code::Aborted, message));
    }
    Ok(())
}

#[tokio::test]
async fn details_arrive_byte_by_byte() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    // A `google.rpc.Status` that says 14 and "no".
    let fault = json!({ "grpc": { "code": 14, "message": "no", "details": "CA4SAm5v" } });
    aim(&greeter, fault).await?;
    let status = refused(&mut client).await?;
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.details(), b"\x08\x0e\x12\x02no");
    Ok(())
}

#[tokio::test]
async fn an_http_status_becomes_the_code_that_grpc_maps_it_to() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    let mapped = [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (500, Code::Unknown),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ];
    for (http, code) in mapped {
        aim(&greeter, json!({ "status": http })).await?;
        let status = refused(&mut client).await?;
        assert_eq!(status.code(), code, "{http}");
        assert_eq!(status.message(), format!("injected {http}"));
        assert_eq!(rule_of(&status), Some("aimed"));
    }
    Ok(())
}

#[tokio::test]
async fn an_error_is_unknown_and_says_where_it_is_from() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    aim(&greeter, json!({ "error": "out of luck" })).await?;
    let status = refused(&mut client).await?;
    assert_eq!(status.code(), Code::Unknown);
    let message = "out of luck (injected at grpc.server by rule aimed)";
    assert_eq!(status.message(), message);
    assert_eq!(rule_of(&status), Some("aimed"));
    Ok(())
}

#[tokio::test]
async fn one_method_is_hit_and_the_others_are_not() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    let rule = json!({
        "site": "grpc.server",
        "match": { "path": "/greeter.v1.Greeter/SayHello" },
        "faults": [ { "status": 503 } ],
    });
    greeter.admin.put_rule("one", &rule).await?;
    assert_eq!(refused(&mut client).await?.code(), Code::Unavailable);
    assert!(client.countdown(ada()).await.is_ok());
    assert!(client.collect(stream::iter([ada()])).await.is_ok());
    assert_eq!(greeter.admin.injections("one").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_delayed_call_is_served_late() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    aim(&greeter, json!({ "latency": "300ms" })).await?;
    let clock = Clock::monotonic();
    let reply = client.say_hello(ada()).await?;
    let took = clock.now();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(reply.into_inner().message, "hello, Ada");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_given_up_is_no_longer_delayed() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    aim(&greeter, json!({ "latency": "60s" })).await?;
    let mut request = tonic::Request::new(ada());
    // Sent as `grpc-timeout`, and kept by the client too.
    request.set_timeout(Duration::from_millis(200));
    let status = client.say_hello(request).await.expect_err("it is too late");
    let too_late = [Code::Cancelled, Code::DeadlineExceeded];
    assert!(too_late.contains(&status.code()), "{status}");
    while greeter.admin.rule("aimed").await?["stats"]["active"] != 0 {
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_is_reset_for_the_reason_that_was_asked_for() -> Result<(), Error> {
    let (greeter, mut client) = greeter().await?;
    let reasons = [
        ("cancel", Code::Cancelled),
        ("refused_stream", Code::Unavailable),
        ("enhance_your_calm", Code::ResourceExhausted),
    ];
    for (reason, code) in reasons {
        aim(&greeter, json!({ "abort": { "h2": reason } })).await?;
        let status = refused(&mut client).await?;
        assert_eq!(status.code(), code, "{reason}: {status}");
    }
    greeter.admin.halt().await?;
    // The connection is as good as it was.
    assert!(client.say_hello(ada()).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_hung_call_does_not_hold_the_stop_up() -> Result<(), Error> {
    let (mut greeter, mut client) = greeter().await?;
    aim(&greeter, json!({ "hang": "60s" })).await?;
    let hung = tokio::spawn(async move { client.say_hello(ada()).await });
    while greeter.admin.rule("aimed").await?["stats"]["active"] != 1 {
        sleep(Duration::from_millis(5)).await;
    }
    greeter.program.terminate().await?;
    // Let go, and served.
    assert_eq!(hung.await??.into_inner().message, "hello, Ada");
    let status = timeout(Duration::from_secs(4), greeter.program.ended()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}
