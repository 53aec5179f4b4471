//! Every operation that there is, by its name in Stripe's description, and what does it.

use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::{
    accounts, application_fees, balance, billing_portal, charges, checkout, clocks, customers,
    disputes, invoice_items, invoices, meters, payment_intents, payment_methods, payouts, prices,
    products, refunds, subscriptions, transfers, webhook_endpoints,
};

#[derive(Clone, Copy)]
enum Does {
    /// Gives an object of a kind, which the path's parameter names.
    Get(&'static str, &'static str),
    /// Gives pages of a kind, by fields that equal a parameter.
    List(&'static str, &'static [&'static str]),
    Search(&'static str),
    Run(fn(&mut Call) -> Outcome),
}

use Does::{Get, List, Run, Search};

/// The names of all.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(name, _)| *name)
}

/// Does one.
pub(crate) fn run(name: &str, call: &mut Call) -> Outcome {
    let does = OPERATIONS.iter().find(|(known, _)| *known == name).map(|(_, does)| *does);
    match does {
        Some(Get(kind, param)) => {
            call.done()?;
            call.object(kind, param)
        }
        Some(List(kind, filters)) => lists::list(call, kind, filters),
        Some(Search(kind)) => lists::search(call, kind),
        Some(Run(run)) => run(call),
        None => Err(crate::refusal::Refusal::not_simulated(name)),
    }
}

const OPERATIONS: &[(&str, Does)] = &[
    ("GetAccount", Run(accounts::own)),
    ("PostAccounts", Run(accounts::create)),
    ("GetAccounts", Run(accounts::list)),
    ("GetAccountsAccount", Get("account", "account")),
    ("PostAccountsAccount", Run(accounts::update)),
    ("DeleteAccountsAccount", Run(accounts::delete)),
    ("PostAccountLinks", Run(accounts::link)),
    ("GetApplicationFees", List("application_fee", &["charge"])),
    ("GetApplicationFeesId", Get("application_fee", "id")),
    ("PostApplicationFeesIdRefunds", Run(application_fees::refund)),
    ("GetApplicationFeesIdRefunds", Run(application_fees::refunds)),
    ("GetBalance", Run(balance::get)),
    ("GetBalanceTransactions", Run(balance::transactions)),
    ("GetBalanceTransactionsId", Get("balance_transaction", "id")),
    ("PostBillingMeterEvents", Run(meters::event)),
    ("GetBillingMeters", List("billing.meter", &["status"])),
    ("PostBillingMeters", Run(meters::create)),
    ("GetBillingMetersId", Get("billing.meter", "id")),
    ("PostBillingMetersId", Run(meters::update)),
    ("PostBillingMetersIdDeactivate", Run(meters::deactivate)),
    ("PostBillingMetersIdReactivate", Run(meters::reactivate)),
    ("GetBillingMetersIdEventSummaries", Run(meters::summaries)),
    ("PostBillingPortalConfigurations", Run(billing_portal::configure)),
    (
        "GetBillingPortalConfigurations",
        List("billing_portal.configuration", &["active", "is_default"]),
    ),
    (
        "GetBillingPortalConfigurationsConfiguration",
        Get("billing_portal.configuration", "configuration"),
    ),
    ("PostBillingPortalSessions", Run(billing_portal::open)),
    ("GetCharges", List("charge", &["customer", "payment_intent", "transfer_group"])),
    ("GetChargesSearch", Search("charge")),
    ("GetChargesCharge", Get("charge", "charge")),
    ("PostChargesCharge", Run(charges::update)),
    ("PostCheckoutSessions", Run(checkout::create)),
    (
        "GetCheckoutSessions",
        List("checkout.session", &["customer", "payment_intent", "status", "subscription"]),
    ),
    ("GetCheckoutSessionsSession", Get("checkout.session", "session")),
    ("PostCheckoutSessionsSessionExpire", Run(checkout::expire)),
    ("GetCheckoutSessionsSessionLineItems", Run(checkout::line_items)),
    ("PostCustomers", Run(customers::create)),
    ("GetCustomers", List("customer", &["email", "test_clock"])),
    ("GetCustomersSearch", Search("customer")),
    ("GetCustomersCustomer", Get("customer", "customer")),
    ("PostCustomersCustomer", Run(customers::update)),
    ("DeleteCustomersCustomer", Run(customers::delete)),
    ("GetCustomersCustomerPaymentMethods", Run(customers::payment_methods)),
    ("GetDisputes", List("dispute", &["charge", "payment_intent"])),
    ("GetDisputesDispute", Get("dispute", "dispute")),
    ("PostDisputesDispute", Run(disputes::update)),
    ("PostDisputesDisputeClose", Run(disputes::close)),
    ("GetEvents", List("event", &["type"])),
    ("GetEventsId", Get("event", "id")),
    ("GetInvoicePayments", List("invoice_payment", &["invoice", "status"])),
    ("GetInvoicePaymentsInvoicePayment", Get("invoice_payment", "invoice_payment")),
    ("PostInvoiceitems", Run(invoice_items::create)),
    ("GetInvoiceitems", List("invoiceitem", &["customer", "invoice"])),
    ("GetInvoiceitemsInvoiceitem", Get("invoiceitem", "invoiceitem")),
    ("DeleteInvoiceitemsInvoiceitem", Run(invoice_items::delete)),
    ("PostInvoices", Run(invoices::create)),
    ("PostInvoicesCreatePreview", Run(invoices::preview)),
    ("GetInvoices", List("invoice", &["customer", "status", "subscription", "collection_method"])),
    ("GetInvoicesSearch", Search("invoice")),
    ("GetInvoicesInvoice", Get("invoice", "invoice")),
    ("PostInvoicesInvoice", Run(invoices::update)),
    ("DeleteInvoicesInvoice", Run(invoices::delete)),
    ("GetInvoicesInvoiceLines", Run(invoices::lines)),
    ("PostInvoicesInvoiceFinalize", Run(invoices::finalize)),
    ("PostInvoicesInvoiceMarkUncollectible", Run(invoices::give_up)),
    ("PostInvoicesInvoicePay", Run(invoices::pay)),
    ("PostInvoicesInvoiceSend", Run(invoices::send)),
    ("PostInvoicesInvoiceVoid", Run(invoices::void)),
    ("PostPaymentIntents", Run(payment_intents::create)),
    ("GetPaymentIntents", List("payment_intent", &["customer"])),
    ("GetPaymentIntentsSearch", Search("payment_intent")),
    ("GetPaymentIntentsIntent", Get("payment_intent", "intent")),
    ("PostPaymentIntentsIntent", Run(payment_intents::update)),
    ("PostPaymentIntentsIntentCancel", Run(payment_intents::cancel)),
    ("PostPaymentIntentsIntentCapture", Run(payment_intents::capture)),
    ("PostPaymentIntentsIntentConfirm", Run(payment_intents::confirm)),
    ("PostPaymentMethods", Run(payment_methods::create)),
    ("GetPaymentMethods", List("payment_method", &["customer", "type"])),
    ("GetPaymentMethodsPaymentMethod", Get("payment_method", "payment_method")),
    ("PostPaymentMethodsPaymentMethod", Run(payment_methods::update)),
    ("PostPaymentMethodsPaymentMethodAttach", Run(payment_methods::attach)),
    ("PostPaymentMethodsPaymentMethodDetach", Run(payment_methods::detach)),
    ("PostPayouts", Run(payouts::create)),
    ("GetPayouts", List("payout", &["status", "arrival_date", "destination"])),
    ("GetPayoutsPayout", Get("payout", "payout")),
    ("PostPayoutsPayout", Run(payouts::update)),
    ("PostPayoutsPayoutCancel", Run(payouts::cancel)),
    ("PostPrices", Run(prices::create)),
    ("GetPrices", Run(prices::list)),
    ("GetPricesSearch", Search("price")),
    ("GetPricesPrice", Get("price", "price")),
    ("PostPricesPrice", Run(prices::update)),
    ("PostProducts", Run(products::create)),
    ("GetProducts", List("product", &["active", "url"])),
    ("GetProductsSearch", Search("product")),
    ("GetProductsId", Get("product", "id")),
    ("PostProductsId", Run(products::update)),
    ("DeleteProductsId", Run(products::delete)),
    ("PostRefunds", Run(refunds::create)),
    ("GetRefunds", List("refund", &["charge", "payment_intent"])),
    ("GetRefundsRefund", Get("refund", "refund")),
    ("PostRefundsRefund", Run(refunds::update)),
    ("PostSubscriptions", Run(subscriptions::create)),
    ("GetSubscriptions", Run(subscriptions::list)),
    ("GetSubscriptionsSearch", Search("subscription")),
    ("GetSubscriptionsSubscriptionExposedId", Get("subscription", "id")),
    ("PostSubscriptionsSubscriptionExposedId", Run(subscriptions::update)),
    ("DeleteSubscriptionsSubscriptionExposedId", Run(subscriptions::cancel)),
    ("PostTestHelpersTestClocks", Run(clocks::create)),
    ("GetTestHelpersTestClocks", List("test_helpers.test_clock", &[])),
    ("GetTestHelpersTestClocksTestClock", Get("test_helpers.test_clock", "test_clock")),
    ("DeleteTestHelpersTestClocksTestClock", Run(clocks::delete)),
    ("PostTestHelpersTestClocksTestClockAdvance", Run(clocks::advance)),
    ("PostTransfers", Run(transfers::create)),
    ("GetTransfers", List("transfer", &["destination", "transfer_group"])),
    ("GetTransfersTransfer", Get("transfer", "transfer")),
    ("PostTransfersTransfer", Run(transfers::update)),
    ("PostTransfersIdReversals", Run(transfers::reverse)),
    ("GetTransfersIdReversals", Run(transfers::reversals)),
    ("PostWebhookEndpoints", Run(webhook_endpoints::create)),
    ("GetWebhookEndpoints", List("webhook_endpoint", &[])),
    ("GetWebhookEndpointsWebhookEndpoint", Get("webhook_endpoint", "webhook_endpoint")),
    ("PostWebhookEndpointsWebhookEndpoint", Run(webhook_endpoints::update)),
    ("DeleteWebhookEndpointsWebhookEndpoint", Run(webhook_endpoints::delete)),
];
