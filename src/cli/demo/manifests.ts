/** What the demo's teams keep in Git, by path. */
export function teamFiles(tags: { shop: string; cart: string }): Record<string, string> {
  return { "apps/shop.yaml": shop(tags.shop), "apps/shop-canary.yaml": shopCanary, "apps/cart.yaml": cart(tags.cart) };
}

/** The shop at this tag: the file that a release changes. */
export function shop(tag: string): string {
  return deployment("shop", 3, tag);
}

/** The second team's workload, which no Canary watches. */
export function cart(tag: string): string {
  return deployment("cart", 1, tag);
}

function deployment(name: string, replicas: number, tag: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: shop
spec:
  replicas: ${replicas}
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
        - name: app
          image: serin.dev/shop:${tag}
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet:
              path: /readyz
              port: 8080
            periodSeconds: 1
`;
}

const shopCanary = `apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: shop
  namespace: shop
spec:
  targetRef:
    kind: Deployment
    name: shop
  progressDeadlineSeconds: 30
  service:
    port: 80
    targetPort: 8080
    hosts: [shop.example]
    gatewayRefs:
      - name: public
        namespace: gateway
  analysis:
    interval: 2s
    threshold: 2
    stepWeight: 20
    maxWeight: 60
    metrics:
      - name: request-success-rate
        interval: 10s
        thresholdRange:
          min: 99
      - name: request-duration
        interval: 10s
        thresholdRange:
          max: 500
`;
