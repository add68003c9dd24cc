// Drives an echo server with the JDK's client: java Jdk.java URL
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

class Jdk implements WebSocket.Listener {
    static final int TIMEOUT_SECONDS = 20;

    // Whole messages, pongs and the status code of the close.
    final LinkedBlockingQueue<Object> received = new LinkedBlockingQueue<>();
    final StringBuilder text = new StringBuilder();
    final ByteArrayOutputStream binary = new ByteArrayOutputStream();

    record Pong(ByteBuffer payload) {}

    record Closed(int code, String reason) {}

    @Override
    public CompletionStage<?> onText(WebSocket ws, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
            received.add(text.toString());
            text.setLength(0);
        }
        ws.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket ws, ByteBuffer part, boolean last) {
        byte[] bytes = new byte[part.remaining()];
        part.get(bytes);
        binary.writeBytes(bytes);
        if (last) {
            received.add(ByteBuffer.wrap(binary.toByteArray()));
            binary.reset();
        }
        ws.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket ws, ByteBuffer payload) {
        ByteBuffer copy = ByteBuffer.allocate(payload.remaining()).put(payload).flip();
        received.add(new Pong(copy));
        ws.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
        received.add(new Closed(code, reason));
        return null;
    }

    @Override
    public void onError(WebSocket ws, Throwable error) {
        received.add(error);
    }

    void expect(String step, Object expected) throws Exception {
        Object next = received.poll(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        if (!expected.equals(next)) {
            throw new AssertionError(step + ": received " + abbreviated(next));
        }
    }

    static String abbreviated(Object value) {
        String text = String.valueOf(value);
        return text.length() > 100 ? text.length() + " characters: " + text.substring(0, 100) : text;
    }

    static void run(URI uri) throws Exception {
        Jdk listener = new Jdk();
        HttpClient client = HttpClient.newHttpClient();
        WebSocket ws = client.newWebSocketBuilder()
                .subprotocols("chat", "echo")
                .buildAsync(uri, listener)
                .join();
        if (!ws.getSubprotocol().equals("echo")) {
            throw new AssertionError("subprotocol: " + ws.getSubprotocol());
        }

        // Escaped: before Java 18 the encoding of the source is the platform's.
        for (String text : new String[] {"gr\u00fc\u00dfe \ud83e\udd80", "", "\u00fc".repeat(50_000)}) {
            ws.sendText(text, true).join();
            listener.expect("text of " + text.length() + " characters", text);
        }
        ws.sendText("frag", false).join();
        ws.sendText("", false).join();
        ws.sendText("ments", true).join();
        listener.expect("text in parts", "fragments");

        byte[] bytes = new byte[100_000];
        for (int index = 0; index < bytes.length; index++) bytes[index] = (byte) index;
        ws.sendBinary(ByteBuffer.wrap(bytes), true).join();
        listener.expect("binary", ByteBuffer.wrap(bytes));
        ws.sendBinary(ByteBuffer.wrap(bytes, 0, 70_000), false).join();
        ws.sendPing(ByteBuffer.wrap("between".getBytes())).join();
        listener.expect("pong between parts", new Pong(ByteBuffer.wrap("between".getBytes())));
        ws.sendBinary(ByteBuffer.wrap(bytes, 70_000, 30_000), true).join();
        listener.expect("binary in parts", ByteBuffer.wrap(bytes));

        ws.sendClose(WebSocket.NORMAL_CLOSURE, "enough").join();
        Object closed = listener.received.poll(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        if (!(closed instanceof Closed close) || close.code() != WebSocket.NORMAL_CLOSURE) {
            throw new AssertionError("close: received " + abbreviated(closed));
        }
    }

    public static void main(String[] arguments) throws Exception {
        CompletableFuture<Void> done = CompletableFuture.runAsync(() -> {
            try {
                run(URI.create(arguments[0]));
            } catch (Throwable error) {
                throw new IllegalStateException(error);
            }
        });
        try {
            done.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (Exception error) {
            System.err.println("JDK " + Runtime.version() + " failed:");
            error.printStackTrace();
            System.exit(1);
        }
        System.out.println("jdk ok");
        System.exit(0);
    }
}
