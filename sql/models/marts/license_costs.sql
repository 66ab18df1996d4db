-- Grain: one row per tenant and term of the user's file, in force or not; terms of unmanaged SKUs are left out.
select
  t.tenant_id,
  t.as_of_date,
  t.line,
  t.purchase_id,
  t.sku,
  t.sku_id,
  coalesce(k.product_name, t.product_name) as product_name,
  t.quantity,
  t.amount,
  t.unit_amount,
  t.fees,
  t.currency,
  t.payment_frequency,
  t.effective_date,
  t.ending_date,
  t.vendor,
  t.contract,
  t.cost_centre,
  t.term_status,
  cast(cast(t.annual_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_spend,
  cast(cast(t.annual_fee_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_fees
from {{ ref('int_license_terms') }} as t
left join {{ ref('int_skus') }} as k on k.tenant_id = t.tenant_id and k.sku_id = t.sku_id
where k.sku_id is null or k.is_managed
